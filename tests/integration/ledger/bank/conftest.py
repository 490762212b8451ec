from __future__ import annotations

import pytest

from tests.integration.bookkeeping import BANK, CLEARING, RENT, SALES, Books


@pytest.fixture
def books(sessions, ledger) -> Books:
    return Books(sessions, ledger).open(BANK, CLEARING, SALES, RENT)
