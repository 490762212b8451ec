"""Read balances as they were at an effective time, and as they were known at a recorded time.

Both times may fall within a period. What is asked for is summed up from pieces of it (spans.py): the months that it
touches, of which each later piece takes away what is too much:

    recorded
    end of ─── ┌───────────────────────────┐
    its month  │ days, by recorded day     │
    its day  ─ ├───────────────────────────┤
               │ postings, by id           │
    known_at ─ ├───────────────────┬───┬───┤
               │ all months        │ p │ d │ p: postings of the day, by effective time
               │                   │ o │ a │ d: days of the month, by effective day
               └───────────────────┴───┴───┘
                                   at      end of its month
                                                      effective

So the cost is a row for each month, a row for each day to the end of one, and the postings to the end of a day:
however long the history, and where a time is now, next to none of the last two. See
docs/decisions/0017-period-totals.md.

An id tells to the microsecond when it was recorded (ids.py), so no transaction is read for that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import grains, ids, tables, upsert
from myapp.ledger.model import Counters, Ledger
from myapp.ledger.queries import deltas, spans
from myapp.ledger.queries.spans import Piece, Stretch

accounts, balances, period_totals, postings = tables.accounts, tables.balances, tables.period_totals, tables.postings

# What is pending goes up and down, so that a sum of it may be beyond 64 bits for a while, which SQLite's SUM refuses:
# it is taken in two halves. What is posted only grows, and the balance has room for all of it.
HALF = 1 << 32

# Each is named in up to seven pieces, and SQLite takes 32,766 parameters in a statement.
ACCOUNTS_AT_ONCE = 2_500

Balances = Mapping[tuple[UUID, str], Counters]
Nets = Mapping[UUID, Mapping[str, int]]
_Sum = sa.Label[int]


def balances_at(
    session: Session,
    ledger: Ledger,
    account_ids: Collection[UUID] | None,
    *,
    at: datetime | None,
    known_at: datetime | None,
) -> Balances:
    """Return the counters of these accounts, or of all, by account and currency, at a time and as known at a time.

    Shape: what had a posting by then. One statement, so one snapshot; one more for each further 2,500 accounts.
    Both times are inclusive; None is without end, so that None for both is what the balances say now.
    Units: what is pending is below zero where a release counts before its hold.
    """
    if at is None and known_at is None:
        return _read_balances(session, ledger, account_ids)
    return _sum(session, ledger, account_ids, spans.pieces(spans.up_to(at), spans.up_to(known_at)))


def movements(
    session: Session,
    ledger: Ledger,
    account_ids: Collection[UUID] | None,
    *,
    effective_from: datetime | None,
    effective_to: datetime | None,
    known_at: datetime | None,
) -> Balances:
    """Return what the time from `effective_from` on and before `effective_to` has added to the counters.

    Shape: as of `balances_at`, of what had a posting in that time. What is pending may have become less.
    """
    effective = Stretch(since=effective_from, until=effective_to)
    return _sum(session, ledger, account_ids, spans.pieces(effective, spans.up_to(known_at)))


def nets(session: Session, ledger: Ledger, effective: Stretch, *, known_at: datetime | None) -> Nets:
    """Return what a stretch of effective time has added to every account: debits less credits posted, by currency.

    Shape: as of `movements`; less is read than there, since of many accounts each column tells.
    """
    reader = _Reader(upsert.dialect_of(session), ledger, None)
    found: dict[UUID, dict[str, int]] = {}
    parts = _parts(reader, effective, known_at)
    if parts:
        moved = _moved(parts)
        for account_id, currency, debits, credited in session.execute(_sums(moved, _posted(moved))):
            found.setdefault(account_id, {})[currency] = debits - credited
    return found


def _parts(reader: _Reader, effective: Stretch, known_at: datetime | None) -> Sequence[sa.Select[Any]]:
    """Return what adds up to a stretch: from its beginning on or, where it has none, from the balances back to its end.

    Of what is now that is next to nothing, where all months of all accounts are many.
    """
    if effective.since is not None or effective.until is None or known_at is not None:
        return [reader.select(piece) for piece in spans.pieces(effective, spans.up_to(known_at))]
    later = spans.pieces(Stretch(since=effective.until), Stretch())
    return [
        _all_balances(reader.ledger),
        *(reader.select(replace(piece, is_added=not piece.is_added)) for piece in later),
    ]


def _all_balances(ledger: Ledger) -> sa.Select[Any]:
    """Select what the balances say now, as a piece; each posting has made another version."""
    counters = (balances.c[name] for name in deltas.COUNTERS)
    query = sa.select(balances.c.account_id, balances.c.currency, *counters, balances.c.version.label("lines"))
    return query.where(balances.c.ledger_id == ledger.id, balances.c.version > 0)


def _read_balances(session: Session, ledger: Ledger, account_ids: Collection[UUID] | None) -> Balances:
    columns = (balances.c.account_id, balances.c.currency, *(balances.c[name] for name in deltas.COUNTERS))
    query = sa.select(*columns).where(balances.c.ledger_id == ledger.id, balances.c.version > 0)
    return {
        (row.account_id, row.currency): Counters(**{name: getattr(row, name) for name in deltas.COUNTERS})
        for some in _portions(account_ids)
        for row in session.execute(query.where(*_of_accounts(balances, some)))
    }


def _sum(session: Session, ledger: Ledger, account_ids: Collection[UUID] | None, pieces: Iterator[Piece]) -> Balances:
    dialect, all_pieces = upsert.dialect_of(session), list(pieces)
    if not all_pieces:
        return {}
    return {
        (row.account_id, row.currency): Counters(
            debits_posted=row.debits_posted,
            credits_posted=row.credits_posted,
            debits_pending=row.debits_high * HALF + row.debits_low,
            credits_pending=row.credits_high * HALF + row.credits_low,
        )
        for some in _portions(account_ids)
        for row in session.execute(_all_sums(_Reader(dialect, ledger, some), all_pieces))
    }


def _portions(account_ids: Collection[UUID] | None) -> Iterator[Sequence[UUID] | None]:
    if account_ids is None:
        yield None
    elif account_ids:
        ordered = sorted(account_ids)
        yield from (ordered[place : place + ACCOUNTS_AT_ONCE] for place in range(0, len(ordered), ACCOUNTS_AT_ONCE))


def _moved(parts: Sequence[sa.Select[Any]]) -> sa.Subquery:
    return sa.union_all(*parts).subquery("moved")


def _all_sums(reader: _Reader, pieces: Sequence[Piece]) -> sa.Select[Any]:
    moved = _moved([reader.select(piece) for piece in pieces])
    return _sums(moved, [*_posted(moved), *_pending(moved)])


def _sums(moved: sa.Subquery, sums: Sequence[_Sum]) -> sa.Select[Any]:
    key = (moved.c.account_id, moved.c.currency)
    return sa.select(*key, *sums).group_by(*key).having(sa.func.sum(moved.c.lines) > 0)


def _posted(moved: sa.Subquery) -> Sequence[_Sum]:
    return [_sum_of(moved.c[name], name) for name in ("debits_posted", "credits_posted")]


def _pending(moved: sa.Subquery) -> Sequence[_Sum]:
    return [
        _sum_of(half, f"{side}_{place}")
        for side in ("debits", "credits")
        for place, half in _halves(moved.c[f"{side}_pending"])
    ]


def _halves(column: sa.ColumnElement[int]) -> Sequence[tuple[str, sa.ColumnElement[int]]]:
    return ("high", column // HALF), ("low", column % HALF)


def _sum_of(column: sa.ColumnElement[int], name: str) -> _Sum:
    """Return a sum that is known to fit (see HALF): PostgreSQL tells a Decimal, which takes longer to read."""
    return sa.cast(sa.func.sum(column), sa.BigInteger).label(name)


@dataclass(frozen=True, slots=True)
class _Axis:
    """A column that tells one of the two times, and the first of its values that is not before a moment."""

    column: sa.Column[Any]
    first: Callable[[datetime], object]

    def within(self, column: sa.ColumnElement[Any], stretch: Stretch) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what keeps the column, or a copy of it, in a stretch."""
        if stretch.since is not None:
            yield column >= self.first(stretch.since)
        if stretch.until is not None:
            yield column < self.first(stretch.until)


TOTALS_EFFECTIVE = _Axis(period_totals.c.effective_from, grains.day_of)
TOTALS_RECORDED = _Axis(period_totals.c.recorded_from, grains.day_of)
POSTINGS_EFFECTIVE = _Axis(postings.c.effective_at, lambda moment: moment)
POSTINGS_RECORDED = _Axis(postings.c.transaction_id, ids.first_id)
# Effective and recorded, by whether it is single postings.
AXES = {False: (TOTALS_EFFECTIVE, TOTALS_RECORDED), True: (POSTINGS_EFFECTIVE, POSTINGS_RECORDED)}
TOTALLED = (*deltas.COUNTERS, "lines")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Selects pieces, for these accounts of a ledger or for all."""

    dialect: str
    ledger: Ledger
    account_ids: Sequence[UUID] | None

    def select(self, piece: Piece) -> sa.Select[Any]:
        """Select what the piece adds to each counter, or takes from it, and by how many lines."""
        along, across = AXES[piece.grain is None]
        stretch, rest = piece.effective, piece.recorded
        if piece.is_beyond_recorded:
            along, across, stretch, rest = across, along, rest, stretch
        lines = self._lines(piece, along.within(along.column, stretch), also=across.column).order_by(along.column)
        found, of_all = self._find(lines, along)
        sign = 1 if piece.is_added else -1
        moved = [*deltas.of(found), sa.literal(1)] if piece.grain is None else [found.c[name] for name in TOTALLED]
        signed = [(sign * column).label(name) for name, column in zip(TOTALLED, moved, strict=True)]
        query = sa.select(found.c.account_id, found.c.currency, *signed).select_from(of_all)
        return query.where(*across.within(found.c[across.column.name], rest))

    def _lines(
        self, piece: Piece, conditions: Iterator[sa.ColumnElement[bool]], *, also: sa.Column[Any]
    ) -> sa.Select[Any]:
        table: sa.Table = also.table
        names = ("side", "effect", "amount") if piece.grain is None else TOTALLED
        columns = (table.c.account_id, table.c.currency, *(table.c[name] for name in names), also)
        query = sa.select(*columns).where(table.c.ledger_id == self.ledger.id, *conditions)
        return query if piece.grain is None else query.where(table.c.grain == sa.literal_column(f"'{piece.grain}'"))

    def _find(self, lines: sa.Select[Any], along: _Axis) -> tuple[sa.FromClause, sa.FromClause]:
        """Return the lines of the accounts, found along the axis, and what to select them from.

        The order and the offset keep conditions outside, and PostgreSQL's guesses, from choosing another index. See
        Note [Plans for a new ledger].
        """
        account_id = along.column.table.c.account_id
        if self.account_ids is None and along is POSTINGS_RECORDED:
            found = lines.offset(0).subquery()
        elif self.account_ids is not None and len(self.account_ids) == 1:
            found = lines.where(account_id == self.account_ids[0]).offset(0).subquery()
        elif self.dialect == "sqlite":
            found = lines.where(account_id.in_(self._accounts())).order_by(None).offset(0).subquery()
        else:
            # One account after the other; of IN it would make a join, or none, as it sees fit.
            each = self._accounts().subquery()
            of_each = lines.where(account_id == each.c.account_id).offset(0).lateral()
            return of_each, each.join(of_each, sa.true())
        return found, found

    def _accounts(self) -> Any:
        if self.account_ids is None:
            return sa.select(accounts.c.id.label("account_id")).where(accounts.c.ledger_id == self.ledger.id)
        if self.dialect == "sqlite":
            return self.account_ids
        listed = sa.literal(list(self.account_ids), postgresql.ARRAY(sa.Uuid()))
        return sa.select(sa.func.unnest(listed).label("account_id"))


def _of_accounts(table: sa.Table, account_ids: Collection[UUID] | None) -> list[sa.ColumnElement[bool]]:
    if account_ids is None:
        return []
    if len(account_ids) == 1:
        return [table.c.account_id == next(iter(account_ids))]
    return [table.c.account_id.in_(account_ids)]
