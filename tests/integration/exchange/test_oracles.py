"""Other programs read what is exported, find nothing to complain of, and the same balances: on any ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import beanquery
import hypothesis
import pytest
from beancount import loader
from beancount.core import data
from sqlalchemy.orm import Session, sessionmaker

from myapp.api.exchange import closing, names
from myapp.api.exchange import hledger as hledger_format
from myapp.api.exchange.schemas import Format
from myapp.scripts.importing import plan
from tests import hledger
from tests.integration.exchange import books

pytestmark = pytest.mark.slow

RANDOM = hypothesis.settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


def by_bean_query(path: Path) -> dict[tuple[str, str], Decimal]:
    """Return Beancount's balances under the ledger's names."""
    entries, errors, _options = loader.load_file(str(path))
    assert errors == []
    paths = {each.account: each.meta["ledger-path"] for each in entries if isinstance(each, data.Open)}
    codes = {
        each.currency: each.meta.get("ledger-code", each.currency)
        for each in entries
        if isinstance(each, data.Commodity)
    }
    query = "SELECT account, currency, sum(number) AS units GROUP BY account, currency"
    rows = beanquery.connect(f"beancount:{path}").execute(query).fetchall()
    return {(paths[account], codes[currency]): units for account, currency, units in rows if units}


class TestBeancount:
    @RANDOM
    @hypothesis.given(wanted=books.ledgers())
    def test_finds_no_fault_and_the_same_balances(
        self, sessions: sessionmaker[Session], tmp_path_factory: pytest.TempPathFactory, wanted: books.Wanted
    ):
        name = books.make(sessions, wanted)
        path = tmp_path_factory.mktemp("exported") / "book.beancount"

        path.write_bytes(books.exported(sessions, name, Format.BEANCOUNT))

        assert by_bean_query(path) == books.balances(sessions, name)

    def test_is_told_a_balance_that_it_checks(self, sessions: sessionmaker[Session], tmp_path: Path):
        wanted = books.Wanted(accounts=books.two_accounts(), transactions=[books.sale("12.50")])
        journal = books.exported(sessions, books.make(sessions, wanted), Format.BEANCOUNT).decode()
        path = tmp_path / "book.beancount"

        path.write_text(journal.replace("balance Assets:Cash  12.50", "balance Assets:Cash  12.49"))

        _entries, (error,), _options = loader.load_file(str(path))
        assert "expected 12.49 USD != accumulated 12.50 USD" in error.message


@pytest.mark.oracle
class TestHledger:
    @RANDOM
    @hypothesis.given(wanted=books.ledgers())
    def test_finds_no_fault_and_the_same_balances(
        self, sessions: sessionmaker[Session], tmp_path_factory: pytest.TempPathFactory, wanted: books.Wanted
    ):
        name = books.make(sessions, wanted)
        path = tmp_path_factory.mktemp("exported") / "book.journal"

        path.write_bytes(books.exported(sessions, name, Format.HLEDGER))

        hledger.run(path, "check", "--strict", "ordereddates")
        called = names.hledger_accounts([each.path for each in wanted.accounts])
        expected = {(called[path], code): net for (path, code), net in books.balances(sessions, name).items()}
        assert hledger.balances(path) == expected

    def test_knows_the_types_of_the_accounts(self, sessions: sessionmaker[Session], tmp_path: Path):
        wanted = books.Wanted(accounts=books.one_account_of_each_type(), transactions=[])
        path = tmp_path / "book.journal"

        path.write_bytes(books.exported(sessions, books.make(sessions, wanted), Format.HLEDGER))

        said = hledger.run(path, "accounts", "--types").split()
        kinds = {each.path: hledger_format.TYPES[each.type] for each in wanted.accounts}
        assert dict(zip(said[::4], said[3::4], strict=True)) == kinds


def test_the_trading_accounts_are_those_of_the_import():
    assert closing.TRADING_PREFIX == plan.TRADING_PREFIX
