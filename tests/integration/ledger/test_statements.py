"""Statements, page by page: the same as sorting every posting by effective time and adding up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import queries
from myapp.ledger.model import Effect, Ledger, Side, StatementLine
from tests.integration.ledger import histories
from tests.integration.ledger.histories import Entry

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
somewhen = st.none() | histories.instants

Seen = tuple[datetime, str, Side, int, int]


def expected(
    history: Sequence[Entry], since: datetime | None, until: datetime | None, known_at: datetime | None
) -> Iterator[Seen]:
    """Yield what the statement of the first account shows; `history` is in the order of recording."""
    versions: dict[str, int] = {}
    numbered = []
    for entry in history:
        if entry.account == 0:
            versions[entry.currency] = versions.get(entry.currency, 0) + 1
            numbered.append((entry.effective_at, versions[entry.currency], entry.currency, entry))
    nets: dict[str, int] = {}
    for effective_at, _version, currency, entry in sorted(numbered, key=lambda each: each[:3]):
        if entry.effect not in (Effect.POSTED, Effect.TAKEN) or (known_at and entry.recorded_at > known_at):
            continue
        signed = entry.amount if entry.side is Side.DEBIT else -entry.amount
        nets[currency] = nets.get(currency, 0) + signed
        if (since is None or since <= effective_at) and (until is None or effective_at < until):
            yield effective_at, currency, entry.side, entry.amount, nets[currency]


def read(
    session: Session,
    ledger: Ledger,
    since: datetime | None,
    until: datetime | None,
    known_at: datetime | None,
    *,
    limit: int,
) -> Iterator[Seen]:
    """Yield it page by page."""
    after: queries.PostingPosition | None = None
    while True:
        page: Sequence[StatementLine] = queries.list_postings(
            session,
            ledger,
            "assets:0",
            effective_from=since,
            effective_to=until,
            known_at=known_at,
            after=after,
            limit=limit,
        )
        for line in page:
            yield line.effective_at, line.currency, line.side, line.amount_minor, line.balance_minor
        if len(page) < limit:
            return
        last = page[-1]
        after = queries.PostingPosition(last.effective_at, last.balance_version, last.currency)


@few
@given(
    history=histories.histories,
    asked=st.lists(st.tuples(somewhen, somewhen, somewhen), max_size=3),
    limit=st.sampled_from([1, 2, 50]),
)
def test_run_on_from_page_to_page(
    sessions: sessionmaker[Session],
    ledger: Ledger,
    history: Sequence[Entry],
    asked: Sequence[tuple[datetime | None, datetime | None, datetime | None]],
    limit: int,
) -> None:
    with scope.session_scope(sessions) as session, scope.discarded(session):
        histories.write(session, ledger, history)
        for since, until, known_at in asked:
            shown = list(read(session, ledger, since, until, known_at, limit=limit))

            assert shown == list(expected(history, since, until, known_at))
