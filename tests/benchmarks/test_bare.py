"""The statement alone is sent what the application sends, each time with new ids; what it does not record is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest

from myapp.ledger.recording import statement
from tests.architecture.house_rules import ROOT
from tests.benchmarks import bare, ledgers, payloads
from tests.benchmarks.load.order import Outcome
from tests.benchmarks.load.statements import FAILED, SHORT, StatementOrder
from tests.benchmarks.peers import books
from tests.databases import Databases


@pytest.fixture
def url(databases_of: Callable[[str], Databases], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Lend a database with a ledger of three accounts."""
    monkeypatch.setenv(books.ACCOUNTS_VARIABLE, "3")
    with databases_of("postgresql").private() as found:
        ledgers.open_books(found)
        yield found


def carry_out(url: str, *, count: int | None = None) -> Outcome:
    """Send two batches of three, three times in all, and expect so many recorded of each."""
    calls = payloads.batches(3)[:2]
    parameters = bare.planned(url, calls)
    if count is not None:
        parameters = [bare.Parameters(texts=each.texts, ids=each.ids, count=count) for each in parameters]
    order = StatementOrder(
        url=url,
        text=statement.RECORD,
        result=bare.RESULT,
        parameters=parameters,
        connections=2,
        seconds=30,
        requests_max=3,
    )
    command = [sys.executable, "-m", "tests.benchmarks.load.statements"]
    done = subprocess.run(
        command, cwd=ROOT, input=order.to_json(), capture_output=True, text=True, check=True, timeout=60
    )
    return Outcome.from_json(done.stdout)


class TestTheStatementAlone:
    def test_records_each_batch_anew(self, url: str):
        outcome = carry_out(url)

        assert outcome.statuses == {"200": 3}
        assert outcome.first_refusal is None
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*), (SELECT count(*) FROM postings) FROM transactions").fetchone()
        assert row == (9, 18)

    def test_tells_what_was_not_recorded(self, url: str):
        assert carry_out(url, count=4).statuses == {SHORT: 3}

    def test_tells_what_failed(self, url: str):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE postings ADD CONSTRAINT never CHECK (amount < 0) NOT VALID")

        outcome = carry_out(url)

        assert outcome.statuses == {FAILED: 3}
        assert "never" in (outcome.first_refusal or "")
