"""Find a page of transactions: walk along one index, and keep those that meet the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.queries import by_key, horizon
from myapp.ledger.queries.search import conditions, ways
from myapp.ledger.queries.search.criteria import TransactionFilter
from myapp.ledger.queries.search.span import Span
from myapp.ledger.queries.search.walks import COLLECTED_MAX, Ordered, Portion, Walk

transactions = tables.transactions

# A page ends when so many were looked at, however few of them meet the search.
LOOKED_AT_MAX = 20_000
# Each portion is so many times the last, so that a sparse page takes few statements and a dense one reads little.
GROWTH = 4
LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rows of `transactions`, the newest first; the search goes on after the id `resume`, if it is not at its end."""

    rows: Sequence[AnyRow]
    resume: UUID | None


def find(
    session: Session, ledger: Ledger, criteria: TransactionFilter, *, after: UUID | None, limit: int, now: datetime
) -> Found:
    """Find the transactions that meet the criteria, the newest first, from the one after the id `after`.

    Shape: at most `limit`. Fewer, or none, with more to come, once `LOOKED_AT_MAX` were looked at.
    """
    span = criteria.span.up_to(after)
    if criteria.is_open:
        return _list(session, ledger, span, limit)
    seen = horizon.at(criteria.known_at, now=now)
    walk = choose(session, ledger, criteria, span)
    meeting = [transactions.c.ledger_id == ledger.id, *conditions.of(ledger, criteria, seen=seen)]
    return _keep(session, criteria, _candidates(session, walk, span, limit + 1), meeting, limit)


def _keep(
    session: Session,
    criteria: TransactionFilter,
    candidates: Iterator[Portion],
    meeting: Sequence[sa.ColumnElement[bool]],
    limit: int,
) -> Found:
    """Keep the candidates that meet the search, until there are more than `limit` or enough was looked at."""
    rows: list[AnyRow] = []
    looked_at = 0
    for some in candidates:
        met = by_key.read(session, sa.select(transactions).where(*meeting), transactions.c.id, some.ids)
        kept = [row for row in met if criteria.is_met_by(row.description, row.metadata)]
        rows += sorted(kept, key=lambda row: row.id, reverse=True)
        looked_at += len(some.ids) + some.looked_at
        if len(rows) > limit:
            return Found(rows=rows[:limit], resume=rows[limit - 1].id)
        if looked_at >= LOOKED_AT_MAX:
            return Found(rows=rows, resume=some.floor)
    return Found(rows=rows, resume=None)


def choose(session: Session, ledger: Ledger, criteria: TransactionFilter, span: Span) -> Walk:
    """Return the walk that looks at fewest; one statement, if there is a choice."""
    there = list(ways.of(ledger, criteria, span))
    if len(there) == 1 and there[0].certain:
        return there[0].walk
    if not there:
        return ways.whole(ledger)
    counts = session.execute(sa.select(*(way.estimate.label(f"way{place}") for place, way in enumerate(there)))).one()
    open_to = [
        (min(count, COLLECTED_MAX), place)
        for place, (way, count) in enumerate(zip(there, counts, strict=True))
        if count is not None and not (way.for_few and count >= COLLECTED_MAX)
    ]
    return _sieved(there[min(open_to)[1]].walk, there) if open_to else ways.whole(ledger)


def _sieved(walk: Walk, there: Sequence[ways.Way]) -> Walk:
    """Return a walk that leaves out what cannot be on a page, where an index says so of each id."""
    if not isinstance(walk, Ordered):
        return walk
    return replace(walk, sieves=[way.walk for way in there if isinstance(way.walk, Ordered) and way.walk is not walk])


def _list(session: Session, ledger: Ledger, span: Span, limit: int) -> Found:
    """Return the newest of a span: what a list without criteria shows, in one statement."""
    query = sa.select(transactions).where(transactions.c.ledger_id == ledger.id, *span.holds(transactions.c.id))
    # A bound that all meet makes the primary key the index that fits best. See Note [Plans for a new ledger].
    query = query.where(transactions.c.id < LAST_ID, conditions.is_listed())
    rows = session.execute(query.order_by(transactions.c.id.desc()).limit(limit + 1)).all()
    return Found(rows=rows[:limit], resume=rows[limit - 1].id if len(rows) > limit else None)


def _candidates(session: Session, walk: Walk, span: Span, size: int) -> Iterator[Portion]:
    """Yield ids to look at, at first as many as a page needs, then more."""
    floor: UUID | None = None
    while True:
        portion = walk.portion(session, span.up_to(floor), size)
        rest, floor = portion.ids, portion.floor
        while len(rest) > size:
            some, rest = rest[:size], rest[size:]
            yield Portion(ids=some, floor=some[-1])
            size = _grown(size)
        yield Portion(ids=rest, floor=floor, looked_at=portion.looked_at)
        size = _grown(size)
        if floor is None:
            return


def _grown(size: int) -> int:
    return min(size * GROWTH, max(size, COLLECTED_MAX))
