"""The rows that sqlite3 writes alone are those of a ledger that holds; what is recorded beside a load is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks import embedded, ledgers, payloads
from tests.benchmarks.cluster import rows
from tests.benchmarks.embedded import BesideAWriter, Rows
from tests.benchmarks.load.order import Outcome
from tests.benchmarks.peers import books
from tests.benchmarks.running import Load
from tests.databases import Databases


class Answering:
    """A server that answers a writer otherwise than a reader."""

    def give(self, load: Load) -> Outcome:
        is_writer = load.calls[0].body is not None
        statuses = {"201": 3, "503": 1} if is_writer else {"200": 9}
        refusal = "not now" if is_writer else None
        return Outcome(seconds=1.0, statuses=statuses, latency={}, cpu_seconds=0, lag=None, first_refusal=refusal)

    def cpu_seconds(self) -> float:
        return 0.0

    def stop(self) -> None:
        """Do nothing."""


class TestRows:
    def test_are_those_of_a_ledger_that_holds(
        self, databases_of: Callable[[str], Databases], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv(books.ACCOUNTS_VARIABLE, "3")
        with databases_of("sqlite").private() as url:
            ledgers.open_books(url)

            load = Load(calls=payloads.batches(4)[:1], key="k", seconds=30, connections=2, requests_max=5)
            outcome = Rows(url).give(load)

            assert outcome.statuses == {"200": 5}
            assert rows(url, "SELECT count(*) FROM transactions") == [(20,)]
            assert rows(url, "SELECT count(*) FROM events WHERE type = 'transaction.posted'") == [(20,)]
            assert embedded.RAW.ledger.violations(url) == []


class TestBesideAWriter:
    def test_counts_what_was_written_and_tells_what_was_refused(self):
        outcome = BesideAWriter(Answering()).give(Load(calls=payloads.balances(), key="k", seconds=1))

        assert outcome.statuses == {"200": 9, "writer 503": 1}
        assert (outcome.accepted, outcome.refused, outcome.beside) == (9, 1, 3)
        assert outcome.first_refusal == "not now"
