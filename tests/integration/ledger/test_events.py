"""What each change announces, and how what is announced gets its number."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.db.telemetry.counting import count_statements
from myapp.ledger import errors, ids, operations, queries
from myapp.ledger.events import numbering, writing
from myapp.ledger.model import AccountType, Currency, Event, EventType, Ledger
from tests.integration.ledger.desk import NOW, Desk, limits
from tests.integration.ledger.test_closing import wait_for_a_waiter

on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True, scope="session")


def announce(session: Session, ledger: Ledger, name: str = "") -> None:
    """Write an event that says no more than a name."""
    writing.announce(session, ledger.id, EventType.LEDGER_CHANGED, id=ids.new_id(NOW), payload={"name": name}, now=NOW)


def number(desk: Desk, **options: int) -> int:
    with scope.session_scope(desk.sessions, isolation=numbering.ISOLATION) as session:
        return operations.number_events(session, desk.ledger.id, **options)


def listed(desk: Desk, after: int = 0, limit: int = 1000, types: Sequence[EventType] = ()) -> Sequence[Event]:
    with desk.at_work(readonly=True) as session:
        return queries.list_events(session, desk.ledger, after=after, limit=limit, types=types).events


def told(desk: Desk) -> list[tuple[str, Any]]:
    """Number all there is, and return the type and the payload of each event."""
    number(desk)
    return [(event.type.value, dict(event.payload)) for event in listed(desk)]


class TestAnnounce:
    def test_tells_of_a_ledger_a_currency_and_accounts(self, desk: Desk):
        with desk.at_work() as session:
            for _ in range(2):
                operations.declare_currency(session, desk.ledger, Currency(code="HOOL", exponent=4), now=NOW)
        desk.open("assets:till", limits={"USD": limits("0", "10")}, currencies=["USD"])
        desk.change("assets:till", metadata={"b": "2"}, closed=True)

        opened = {
            "path": "assets:till",
            "type": "asset",
            "closed": False,
            "currencies": ["USD"],
            "limits": {"USD": {"min": 0, "max": 1000}},
            "metadata": {},
            "version": 1,
        }
        assert told(desk) == [
            ("ledger.created", {"name": desk.ledger.name, "metadata": {}, "version": 1}),
            ("currency.declared", {"code": "HOOL", "exponent": 4}),
            ("account.opened", opened),
            ("account.changed", {**opened, "closed": True, "metadata": {"b": "2"}, "version": 2}),
        ]

    def test_tells_nothing_of_what_was_refused_or_undone(self, desk: Desk):
        desk.open("assets:till")
        before = told(desk)

        for refused in (lambda: desk.open("assets:till"), lambda: desk.change("assets:till", 7, closed=True)):
            with pytest.raises(errors.LedgerError):
                refused()
        with desk.at_work() as session, scope.discarded(session):
            announce(session, desk.ledger)

        assert told(desk) == before

    def test_draws_a_later_place_for_a_later_event_of_the_same_unit_of_work(self, desk: Desk):
        with desk.at_work() as session:
            for name in "abc":
                announce(session, desk.ledger, name)

        assert [payload["name"] for _, payload in told(desk)][1:] == ["a", "b", "c"]


class TestNumber:
    def test_counts_from_one_without_a_gap_and_never_again(self, desk: Desk):
        with desk.at_work() as session:
            for _ in range(4):
                announce(session, desk.ledger)

        assert number(desk, portion=3) == 3
        first = listed(desk)
        assert number(desk, portion=3) == 2
        assert number(desk) == 0

        assert listed(desk)[:3] == first
        assert [event.seq for event in listed(desk)] == [1, 2, 3, 4, 5]

    def test_is_of_one_ledger(self, desk: Desk):
        with desk.at_work() as session:
            other = operations.create_ledger(session, f"{desk.ledger.name}-2", metadata={}, now=NOW)
        number(desk)

        with desk.at_work(readonly=True) as session:
            assert queries.has_unnumbered_events(session, other)
            assert not queries.has_unnumbered_events(session, desk.ledger)
            assert queries.last_event_seq(session, desk.ledger) == 1

    def test_is_undone_with_its_unit_of_work(self, desk: Desk):
        with desk.at_work() as session, scope.discarded(session):
            assert operations.number_events(session, desk.ledger.id) == 1

        assert listed(desk) == []
        assert number(desk) == 1

    def test_takes_four_statements_and_two_where_there_is_nothing(self, desk: Desk, engine: Engine):
        with desk.at_work() as session:
            for _ in range(50):
                announce(session, desk.ledger)

        for expected in (4, 2):
            with count_statements(engine) as statements:
                number(desk)
            statements.require(expected)

    @on_postgresql
    def test_does_not_wait_for_what_is_not_committed_and_gives_it_a_later_number(self, desk: Desk):
        number(desk)
        with desk.at_work() as slow:
            announce(slow, desk.ledger, "slow")
            with desk.at_work() as quick:
                announce(quick, desk.ledger, "quick")
            assert number(desk) == 1
        assert number(desk) == 1

        assert [event.payload["name"] for event in listed(desk, after=1)] == ["quick", "slow"]

    @on_postgresql
    def test_hinders_nobody_who_refers_to_the_ledger(self, desk: Desk):
        with scope.session_scope(desk.sessions) as session:
            operations.number_events(session, desk.ledger.id)
            desk.open("assets:till")

        assert desk.account("assets:till").type is AccountType.ASSET

    @on_postgresql
    def test_by_two_at_once_gives_each_event_one_number(self, desk: Desk):
        with ThreadPoolExecutor(1) as pool:
            with desk.at_work() as first:
                assert operations.number_events(first, desk.ledger.id) == 1
                second = pool.submit(number, desk)
                wait_for_a_waiter(first)
                with desk.at_work() as session:
                    announce(session, desk.ledger, "meanwhile")
            # What was committed while it waited, and not what the other has numbered.
            assert second.result() == 1

        assert [event.seq for event in listed(desk)] == [1, 2]

    @on_postgresql
    def test_from_an_old_snapshot_fails_and_changes_nothing(self, desk: Desk):
        with pytest.raises(DBAPIError), scope.session_scope(desk.sessions, isolation="REPEATABLE READ") as late:
            late.execute(sa.select(sa.literal(1))).all()
            with desk.at_work() as session:
                announce(session, desk.ledger, "unseen")
            number(desk)
            operations.number_events(late, desk.ledger.id)

        assert [event.seq for event in listed(desk)] == [1, 2]


class TestListEvents:
    def test_goes_on_after_a_number_and_stops_at_the_limit(self, desk: Desk):
        for name in "abcd":
            with desk.at_work() as session:
                announce(session, desk.ledger, name)
        number(desk)

        assert [event.seq for event in listed(desk, after=1, limit=2)] == [2, 3]
        assert listed(desk, after=5) == []

    def test_leaves_out_what_has_no_number(self, desk: Desk):
        assert listed(desk) == []

    def test_looks_at_so_many_and_says_how_far_it_looked(self, desk: Desk, monkeypatch: pytest.MonkeyPatch):
        desk.open("assets:till")
        with desk.at_work() as session:
            for _ in range(5):
                announce(session, desk.ledger)
        number(desk)
        monkeypatch.setattr("myapp.ledger.queries.events.LOOKED_AT_MAX", 3)

        def look(after: int, limit: int = 10) -> tuple[list[int], int, bool]:
            with desk.at_work(readonly=True) as session:
                kinds = [EventType.ACCOUNT_OPENED, EventType.LEDGER_CREATED]
                page = queries.list_events(session, desk.ledger, after=after, limit=limit, types=kinds)
                return [event.seq for event in page.events], page.until, page.may_be_more

        assert look(0, limit=1) == ([1], 1, True)
        assert look(0) == ([1, 2], 3, True)
        assert look(3) == ([], 6, True)
        assert look(6) == ([], 7, False)
        assert look(7) == ([], 7, False)
