"""Ways to walk the transactions that meet one part of a search, the newest first, each along one index.

Note [Walks]
A walk gives ids in portions. A portion has all ids of the walk from `floor` up to where it began that pass its sieves,
so that the next begins at the floor; without a floor it was the last. A portion reads about as many entries of the
index as it was asked for, whatever else the ledger holds, and as many of each sieve's. Each part of a statement fits
one index only, in its conditions and in its order, so that there is nothing to choose for a planner that knows nothing
of a new ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.queries import by_key
from myapp.ledger.queries.search.span import Span

# Up to so many, all that meet one part are read at once, in the order of its own index.
COLLECTED_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Ids, the newest first; the walk goes on before `floor`, or is at its end if that is None."""

    ids: Sequence[UUID]
    floor: UUID | None
    # How many were looked at beside these, at most.
    looked_at: int = 0


class Walk(Protocol):
    @property
    def name(self) -> str:
        """What it goes along."""

    def portion(self, session: Session, span: Span, count: int, /) -> Portion:
        """Return about `count` ids of the span."""


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """Along an index that has the ids in order once its first columns are known; `repeats` if an id may recur."""

    name: str
    id: sa.Column[UUID]
    conditions: Sequence[sa.ColumnElement[bool]]
    repeats: bool = False
    # Others that have all that is searched for: what is not in each of them is left out.
    sieves: Sequence[Ordered] = ()

    def portion(self, session: Session, span: Span, count: int, /) -> Portion:
        query = sa.select(self.id).where(*self.conditions, *span.holds(self.id)).order_by(self.id.desc()).limit(count)
        if self.repeats:
            query = query.distinct()
        if self.sieves:
            return self._sieved(session, query.subquery(), count)
        found = session.scalars(query).all()
        return Portion(ids=found, floor=found[-1] if len(found) == count else None)

    def _sieved(self, session: Session, entries: sa.Subquery, count: int) -> Portion:
        """Read those that are in every sieve. Where there are `count` entries the last is read as well: the floor."""
        candidate = entries.c[self.id.name]
        judged = sa.select(
            candidate.label("id"),
            sa.func.row_number().over(order_by=candidate.desc()).label("place"),
            self._passes(candidate).label("passes"),
        )
        # The offset keeps PostgreSQL from judging each entry twice.
        found = judged.offset(0).subquery()
        query = sa.select(found).where(sa.or_(found.c.passes == 1, found.c.place == count))
        rows = session.execute(query.order_by(found.c.id.desc())).all()
        ids = [row.id for row in rows if row.passes]
        is_full = bool(rows) and rows[-1].place == count
        return Portion(ids=ids, floor=rows[-1].id if is_full else None, looked_at=count - len(ids))

    def _passes(self, candidate: sa.ColumnElement[UUID]) -> sa.ColumnElement[int]:
        """Say 1 of an id that is in every sieve, else 0. SQLite would ask all of them, were they joined by AND."""
        passes: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)
        for sieve in reversed(self.sieves):
            passes = sa.case((sieve.has(candidate), passes), else_=sa.literal_column("0", sa.Integer))
        return passes

    def has(self, candidate: sa.ColumnElement[UUID]) -> sa.ColumnElement[bool]:
        """Say that an id is among these: it is the first that is not before it, which one index alone can tell."""
        query = sa.select(self.id).where(*self.conditions, self.id >= candidate).order_by(self.id).limit(1)
        return query.scalar_subquery() == candidate


@dataclass(frozen=True, kw_only=True)
class Collected:
    """All at once from a stretch of an index in another order, where they are few; else along `otherwise`."""

    name: str
    id: sa.Column[UUID]
    conditions: Sequence[sa.ColumnElement[bool]]
    order: Sequence[sa.Column[Any]]
    otherwise: Walk

    def portion(self, session: Session, span: Span, count: int, /) -> Portion:
        # The span is not in the index, so with it as a condition the limit would bound nothing.
        query = sa.select(self.id).where(*self.conditions).order_by(*self.order).limit(COLLECTED_MAX)
        found = session.scalars(query).all()
        if len(found) == COLLECTED_MAX:
            return self.otherwise.portion(session, span, count)
        return Portion(ids=sorted(filter(span.has, set(found)), reverse=True), floor=None)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Along an index that has the ids in order for each of many keys: accounts, or days.

    Shape: `keys` is a query of one column. Two statements: the newest id of each key; then, for the keys that have the
    newest of these, all ids from a floor on. The newest of `count` keys are `count` ids, and so are `count` ids of one
    key; so above either floor there is a portion.
    """

    name: str
    keys: sa.Subquery
    id: sa.Column[UUID]
    key: sa.Column[Any]
    ledger_id: UUID
    portion_max: int = 200

    def portion(self, session: Session, span: Span, count: int, /) -> Portion:
        count = min(count, self.portion_max)
        newest = session.execute(self._newest(span, count)).all()
        floors = [row.nth for row in newest if row.nth is not None]
        if len(newest) == count:
            floors.append(newest[-1].top)
        floor = max(floors, default=None)
        if not newest:
            return Portion(ids=(), floor=None)
        stretch = span if floor is None else Span(since=floor, before=span.before)
        query = sa.select(self.id).where(self.key.table.c.ledger_id == self.ledger_id, *stretch.holds(self.id))
        found = by_key.read(session, query, self.key, [row.key for row in newest])
        # Every key was looked up; there may be thousands.
        return Portion(ids=sorted({row[0] for row in found}, reverse=True), floor=floor, looked_at=COLLECTED_MAX)

    def _newest(self, span: Span, count: int) -> sa.Select[Any]:
        """Ask for the keys with the newest ids, with the newest and the `count`th id of each."""
        key = self.keys.c[0]
        tops = sa.select(key.label("key"), self._nth(key, span, 1).label("top")).subquery()
        best = sa.select(tops).where(tops.c.top.is_not(None)).order_by(tops.c.top.desc()).limit(count).subquery()
        nth = self._nth(best.c.key, span, count).label("nth")
        return sa.select(best.c.key, best.c.top, nth).order_by(best.c.top.desc())

    def _nth(self, key: sa.ColumnElement[Any], span: Span, nth: int) -> sa.ScalarSelect[UUID]:
        entries = self.key.table.alias()
        entry_id = entries.c[self.id.name]
        query = sa.select(entry_id).where(entries.c.ledger_id == self.ledger_id, entries.c[self.key.name] == key)
        query = query.where(*span.holds(entry_id)).order_by(entry_id.desc()).limit(1)
        return (query.offset(nth - 1) if nth > 1 else query).scalar_subquery()
