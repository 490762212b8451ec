"""Balances at an effective time, as known at a recorded time: the same as adding up every posting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import queries
from myapp.ledger.model import AMOUNT_MINOR_MAX, Counters, Effect, Ledger, Side
from tests.integration.ledger import histories
from tests.integration.ledger.desk import NOW, Desk, transfer
from tests.integration.ledger.histories import ACCOUNTS, Entry

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
somewhen = st.none() | histories.instants
some_accounts = st.none() | st.sets(st.integers(0, ACCOUNTS - 1))


def is_known(entry: Entry, known_at: datetime | None) -> bool:
    return known_at is None or entry.recorded_at <= known_at


def by_id(
    sums: Mapping[tuple[int, str], Counters], account_ids: Sequence[UUID], chosen: set[int] | None
) -> Mapping[tuple[UUID, str], Counters]:
    return {
        (account_ids[number], currency): counters
        for (number, currency), counters in sums.items()
        if chosen is None or number in chosen
    }


def ids_of(account_ids: Sequence[UUID], chosen: set[int] | None) -> Sequence[UUID] | None:
    return None if chosen is None else [account_ids[number] for number in chosen]


class TestBalancesAt:
    @few
    @given(
        history=histories.histories,
        asked=st.lists(st.tuples(somewhen, somewhen, some_accounts).filter(lambda asked: asked[:2] != (None, None))),
    )
    def test_are_the_sums_of_the_postings_by_then(
        self,
        sessions: sessionmaker[Session],
        ledger: Ledger,
        history: Sequence[Entry],
        asked: Sequence[tuple[datetime | None, datetime | None, set[int] | None]],
    ) -> None:
        with scope.session_scope(sessions) as session, scope.discarded(session):
            account_ids = histories.write(session, ledger, history)
            for at, known_at, chosen in asked:
                found = queries.balances_at(session, ledger, ids_of(account_ids, chosen), at=at, known_at=known_at)

                counted = [entry for entry in history if is_known(entry, known_at)]
                counted = [entry for entry in counted if at is None or entry.effective_at <= at]
                assert found == by_id(histories.total(counted), account_ids, chosen)

    def test_without_a_time_are_what_the_balances_say(self, desk: Desk) -> None:
        till, sales = desk.open("assets:till"), desk.open("income:sales")
        desk.record(transfer("5"), transfer("7", effective_at=NOW + timedelta(days=400)))

        with desk.at_work(readonly=True) as session:
            found = queries.balances_at(session, desk.ledger, None, at=None, known_at=None)

        assert found == {
            (till.id, "USD"): Counters(debits_posted=1200),
            (sales.id, "USD"): Counters(credits_posted=1200),
        }

    def test_are_exact_where_what_is_pending_is_more_than_a_counter_holds_for_a_while(
        self, sessions: sessionmaker[Session], ledger: Ledger
    ) -> None:
        # Three holds in months of their own; that each is given back before the next is made counts later only.
        held = [
            Entry(0, "USD", Side.DEBIT, Effect.PENDING, AMOUNT_MINOR_MAX, NOW + timedelta(days=31 * month), NOW)
            for month in range(3)
        ]
        with scope.session_scope(sessions) as session, scope.discarded(session):
            account_ids = histories.write(session, ledger, held)
            found = queries.balances_at(session, ledger, account_ids, at=NOW + timedelta(days=99), known_at=None)

        assert found == {(account_ids[0], "USD"): Counters(debits_pending=3 * AMOUNT_MINOR_MAX)}


class TestMovements:
    @few
    @given(history=histories.histories, asked=st.lists(st.tuples(somewhen, somewhen, somewhen, some_accounts)))
    def test_are_the_sums_of_the_postings_in_between(
        self,
        sessions: sessionmaker[Session],
        ledger: Ledger,
        history: Sequence[Entry],
        asked: Sequence[tuple[datetime | None, datetime | None, datetime | None, set[int] | None]],
    ) -> None:
        with scope.session_scope(sessions) as session, scope.discarded(session):
            account_ids = histories.write(session, ledger, history)
            for since, until, known_at, chosen in asked:
                found = queries.movements(
                    session,
                    ledger,
                    ids_of(account_ids, chosen),
                    effective_from=since,
                    effective_to=until,
                    known_at=known_at,
                )

                counted = [entry for entry in history if is_known(entry, known_at)]
                counted = [entry for entry in counted if since is None or since <= entry.effective_at]
                counted = [entry for entry in counted if until is None or entry.effective_at < until]
                assert found == by_id(histories.total(counted), account_ids, chosen)
