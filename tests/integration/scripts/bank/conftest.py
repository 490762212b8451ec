"""Statements as files, and the shop they are for."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.bookkeeping import BANK, CLEARING, RENT, SALES, Books

MAPPING = """\
currency = "EUR"
[columns]
date = "Date"
amount = "Amount"
text = "Text"
id = "Id"
balance = "Balance"
"""


@pytest.fixture
def books(sessions, ledger) -> Books:
    return Books(sessions, ledger).open(BANK, CLEARING, SALES, RENT)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a file and returns its path."""

    def file(text: str, name: str = "january.csv") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return file


@pytest.fixture
def take_over(myapp, books: Books, file):
    """Return a function that imports the lines of a CSV file, with the shop's accounts."""
    mapping = file(MAPPING, "mapping.toml")

    def take_over(text: str, *more: object, clearing: str | None = CLEARING, run=myapp, **how: object):
        path = file("Date,Amount,Text,Id,Balance\n" + text)
        options = [] if clearing is None else ["--clearing", clearing]
        command = ["bank", "import", path, "--ledger", books.ledger.name, "--account", BANK, "--mapping", mapping]
        return run(*command, *options, *more, **how)

    return take_over
