"""Only what is new is read, and a fault in it is found; what was found stays found until it is mended."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from myapp.db import scope
from myapp.db.telemetry.counting import count_statements
from myapp.ledger import ids, tables, verify
from myapp.ledger.verifying import checkpoints, incremental, walk
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk, limits, transfer
from tests.integration.ledger.test_verify import TAMPERING

balances, events, postings, transactions = tables.balances, tables.events, tables.postings, tables.transactions
period_totals = tables.period_totals

# They hold where the others do, by induction; the last is for a whole run.
IMPLIED = {"ledger-balances", "counters-are-sums", "accounts-agree"}


@pytest.fixture
def till(desk: Desk) -> Desk:
    desk.open("assets:till", {"USD": limits("0", "1000")})
    desk.open("income:sales")
    desk.record(*(transfer(str(n), reference=str(n)) for n in (1, 2, 3)))
    history.number(desk)
    return desk


def verify_new(desk: Desk) -> verify.Run:
    return verify.verify_new(
        functools.partial(scope.session_scope, desk.sessions, readonly=True, isolation="REPEATABLE READ"),
        desk.at_work,
        desk.ledger,
        now=NOW,
        progress=lambda seq: None,
    )


def violated(desk: Desk) -> set[str]:
    return {check.name for check in verify_new(desk).checks if not check.holds}


def tamper(desk: Desk, statement: sa.Update | sa.Insert | sa.Delete) -> None:
    with desk.at_work() as session:
        if not isinstance(statement, sa.Insert):
            statement = statement.where(statement.table.c.ledger_id == desk.ledger.id)
        assert session.execute(statement).rowcount >= 1


class TestVerifyNew:
    @pytest.mark.parametrize("what", TAMPERING)
    def test_finds_tampering_with(self, till: Desk, what: str) -> None:
        tampering, expected = TAMPERING[what]
        tamper(till, tampering)

        found = violated(till)

        assert found
        assert found - IMPLIED == expected - IMPLIED

    def test_goes_on_from_where_all_held(self, till: Desk) -> None:
        first = verify_new(till)
        till.record(transfer("4"))
        last = history.number(till)

        second = verify_new(till)

        assert all(check.holds for check in first.checks + second.checks)
        assert (first.start.last_seq, first.reached.last_seq) == (0, last - 1)
        assert (second.start.last_seq, second.reached.last_seq) == (last - 1, last)
        assert second.checks[0].compared == {"events": 1, "postings": 2}
        assert verify_new(till).checks[0].compared == {"events": 0, "postings": 0}

    def test_reads_no_more_however_long_the_history(self, till: Desk, engine: Engine) -> None:
        counted = []
        for _ in range(2):
            verify_new(till)
            till.record(*[transfer("0.01")] * 50)
            history.number(till)
            with count_statements(engine) as statements:
                run = verify_new(till)
            assert run.checks[0].compared == {"events": 50, "postings": 100}
            counted.append(len(statements))

        assert counted[0] == counted[1] < 20

    def test_finds_the_same_fault_again(self, till: Desk) -> None:
        verify_new(till)
        till.record(transfer("4"))
        history.number(till)
        tamper(till, sa.update(postings).where(postings.c.balance_version == 4).values(amount=401))

        assert violated(till) == violated(till) != set()

    def test_does_not_see_what_was_verified_before(self, till: Desk) -> None:
        verify_new(till)
        tamper(till, sa.update(transactions).where(transactions.c.reference == "1").values(description="other"))
        tamper(till, sa.update(postings).where(postings.c.balance_version == 1).values(amount=101))

        assert violated(till) == set()
        assert "counters-are-sums" in till.violations()

    def test_sees_a_gap_and_a_missing_checkpoint(self, till: Desk) -> None:
        verify_new(till)
        till.record(transfer("4"), transfer("5"))
        last = history.number(till)
        tamper(till, sa.update(events).where(events.c.seq == last - 1).values(seq=None))

        assert "events-are-numbered" in violated(till)
        tamper(till, sa.update(events).where(events.c.seq == last - 2).values(id=ids.new_id(NOW)))
        assert "events-are-numbered" in violated(till)

    def test_sees_a_transaction_that_was_slipped_in_without_an_event(self, till: Desk) -> None:
        """Its postings are followed by those of an honest one, which is how it is noticed."""
        verify_new(till)
        slipped = till.record(transfer("4")).transactions[0].id
        tamper(till, sa.delete(events).where(events.c.id == slipped))
        till.record(transfer("5"))
        history.number(till)

        assert violated(till) == {"events-are-complete"}

    def test_sees_an_event_without_a_transaction(self, till: Desk) -> None:
        made = till.record(transfer("4")).transactions[0].id
        history.number(till)
        tamper(till, sa.update(events).where(events.c.id == made).values(id=ids.new_id(NOW)))

        assert "events-are-complete" in violated(till)

    @pytest.mark.parametrize("change", [{"type": "transaction.pending"}, {"recorded_at": NOW + timedelta(days=1)}])
    def test_sees_an_event_of_another_kind_or_time(self, till: Desk, change: dict[str, object]) -> None:
        made = till.record(transfer("4")).transactions[0].id
        history.number(till)
        tamper(till, sa.update(events).where(events.c.id == made).values(change))

        assert violated(till) == {"events-are-complete"}

    def test_sees_a_day_total_that_is_wrong(self, till: Desk) -> None:
        more = {"debits_posted": period_totals.c.debits_posted + 1}
        tamper(till, sa.update(period_totals).where(period_totals.c.grain == "month").values(more))
        assert violated(till) == {"month-totals-are-sums"}

        tamper(till, sa.update(period_totals).values(more))
        assert violated(till) == {"day-totals-are-sums", "month-totals-are-sums"}

    def test_goes_on_over_many_portions(self, till: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walk, "EVENTS_AT_ONCE", 2)
        monkeypatch.setattr(incremental, "LAP_EVENTS", 3)
        till.record(*(transfer(str(n)) for n in range(1, 8)))
        last = history.number(till)

        run = verify_new(till)

        assert all(check.holds for check in run.checks)
        assert run.checks[0].compared == {"events": last, "postings": 20}
        with till.at_work(readonly=True) as session:
            assert checkpoints.find(session, till.ledger).last_seq == last


class TestCheckpoint:
    def test_never_goes_back(self, till: Desk) -> None:
        def save(seq: int) -> None:
            with till.at_work() as session:
                checkpoints.save(session, till.ledger, checkpoints.Checkpoint(seq, till.ledger.id), now=NOW)

        save(7)
        save(5)
        with till.at_work(readonly=True) as session:
            assert checkpoints.find(session, till.ledger) == checkpoints.Checkpoint(7, till.ledger.id)


class TestVerifyingBesideWriters:
    """Nothing looks like a fault because it is being recorded just now."""

    @pytest.fixture
    def writing(self, till: Desk) -> Callable[[], None]:
        over = threading.Event()

        def write() -> None:
            while not over.is_set():
                till.record(*[transfer("0.01")] * 3)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        yield
        over.set()
        for thread in threads:
            thread.join()

    def test_finds_nothing(self, till: Desk, writing: None) -> None:
        for _ in range(8):
            history.number(till)
            assert violated(till) == set()
            reading = functools.partial(scope.session_scope, till.sessions, readonly=True, isolation="REPEATABLE READ")
            found = list(verify.verify_in_portions(reading, till.ledger, progress=lambda name, portion: None))
            assert [check for check in found if not check.holds] == []
