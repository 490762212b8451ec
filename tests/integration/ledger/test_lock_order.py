"""Locks are taken in the order of Note [Lock order] in recording/steps.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from myapp.ledger import currencies, tables
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import Desk, transfer
from tests.integration.ledger.test_closing import WAIT_SECONDS, on_postgresql, wait_for_a_waiter

pytestmark = [pytest.mark.commits, *on_postgresql]


def test_a_request_that_waits_for_a_currency_holds_no_balance(shop: Desk, form: Form) -> None:
    shop.record(transfer("1"))
    pool = ThreadPoolExecutor(1)
    with shop.at_work() as session:
        currencies.use(session, shop.ledger.id, {"JPY": 0})
        request = pool.submit(shop.record, transfer("1"), transfer("1", currency="JPY"))
        wait_for_a_waiter(session)

        balances = sa.select(tables.balances).where(tables.balances.c.ledger_id == shop.ledger.id)
        assert session.execute(balances.with_for_update(nowait=True)).all()

    assert len(request.result(WAIT_SECONDS).transactions) == 2
