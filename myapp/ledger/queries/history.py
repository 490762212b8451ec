"""Read balances as they were at an effective time, and as they were known at a recorded time.

Both times may fall within a day. Then what is asked for is a rectangle, effective by recorded time, of which whole days
are read from `day_totals` and the edges from the postings of those two days:

    recorded
    known_at ─ ┌───────────────────────────┬────────────┐
               │ recorded that day, by id  │ by         │
    its day  ─ ├───────────────────────────┤ effective  │
               │ day_totals                │ time       │
               └───────────────────────────┴────────────┘
                                         its day        at      effective

So the cost is that of the days, however many postings they have, and of the postings of two days; where a time is the
end of its day, no posting is read. See docs/decisions/0017-day-totals.md.

An id tells to the microsecond when it was recorded (ids.py), so no transaction is read for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, ids, tables, upsert
from myapp.ledger.model import Counters, Ledger
from myapp.ledger.queries import deltas, spans

balances, day_totals, postings = tables.balances, tables.day_totals, tables.postings

# What is pending goes up and down, so that a sum of it may be beyond 64 bits for a while, which SQLite's SUM refuses:
# it is taken in two halves. What is posted only grows, and the balance has room for all of it.
HALF = 1 << 32

# Whole days, the rest of a recorded day, and those of two effective days.
PARTS_MAX = 4

Balances = Mapping[tuple[UUID, str], Counters]


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
    return _sum(session, ledger, account_ids, _Region(spans.up_to(at), spans.up_to(known_at)))


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
    effective = spans.Span(since=effective_from, until=effective_to)
    return _sum(session, ledger, account_ids, _Region(effective, spans.up_to(known_at)))


@dataclass(frozen=True, slots=True)
class _Region:
    effective: spans.Span
    recorded: spans.Span


def _read_balances(session: Session, ledger: Ledger, account_ids: Collection[UUID] | None) -> Balances:
    columns = (balances.c.account_id, balances.c.currency, *(balances.c[name] for name in deltas.COUNTERS))
    query = sa.select(*columns).where(balances.c.ledger_id == ledger.id, balances.c.version > 0)
    return {
        (row.account_id, row.currency): Counters(**{name: getattr(row, name) for name in deltas.COUNTERS})
        for some in _portions(account_ids)
        for row in session.execute(query.where(*_of_accounts(balances, some)))
    }


def _sum(session: Session, ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region) -> Balances:
    dialect = upsert.dialect_of(session)
    return {
        (row.account_id, row.currency): Counters(
            debits_posted=int(row.debits_posted),
            credits_posted=int(row.credits_posted),
            debits_pending=int(row.debits_high) * HALF + int(row.debits_low),
            credits_pending=int(row.credits_high) * HALF + int(row.credits_low),
        )
        for some in _portions(account_ids)
        if (query := _sums(dialect, ledger, some, region)) is not None
        for row in session.execute(query)
    }


def _portions(account_ids: Collection[UUID] | None) -> Iterator[Collection[UUID] | None]:
    if account_ids is None:
        yield None
    elif account_ids:
        yield from chunks.of(sorted(account_ids), times=PARTS_MAX)


def _sums(dialect: str, ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region) -> sa.Select[Any] | None:
    parts = list(_parts(dialect, ledger, account_ids, region))
    if not parts:
        return None
    moved = sa.union_all(*parts).subquery("moved")
    key = (moved.c.account_id, moved.c.currency)
    return sa.select(
        *key,
        sa.func.sum(moved.c.debits_posted).label("debits_posted"),
        sa.func.sum(moved.c.credits_posted).label("credits_posted"),
        sa.func.sum(moved.c.debits_pending // HALF).label("debits_high"),
        sa.func.sum(moved.c.debits_pending % HALF).label("debits_low"),
        sa.func.sum(moved.c.credits_pending // HALF).label("credits_high"),
        sa.func.sum(moved.c.credits_pending % HALF).label("credits_low"),
    ).group_by(*key)


def _parts(
    dialect: str, ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region
) -> Iterator[sa.Select[Any]]:
    if region.effective.has_whole_days:
        yield _whole_days(ledger, account_ids, region)
        for rest in region.recorded.rests:
            yield _of_recorded_rest(ledger, account_ids, region, rest)
    for rest in region.effective.rests:
        yield _of_effective_rest(dialect, ledger, account_ids, region, rest)


def _whole_days(ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region) -> sa.Select[Any]:
    totals = day_totals.c
    return sa.select(totals.account_id, totals.currency, *(totals[name] for name in deltas.COUNTERS)).where(
        totals.ledger_id == ledger.id,
        *_of_accounts(day_totals, account_ids),
        *_within(totals.effective_day, region.effective.first_day, region.effective.end_day),
        *_within(totals.recorded_day, None, region.recorded.end_day),
    )


def _of_recorded_rest(
    ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region, rest: spans.Stretch
) -> sa.Select[Any]:
    """Select what was recorded in the rest of a day and counts in the whole days, by id."""
    effective = region.effective
    is_its = _within(postings.c.transaction_id, ids.first_id(rest.since), ids.first_id(rest.until))
    since = None if effective.first_day is None else spans.start_of(effective.first_day)
    until = None if effective.end_day is None else spans.start_of(effective.end_day)
    found = _fenced(ledger, account_ids, *is_its, by=postings.c.transaction_id, also=postings.c.effective_at)
    return _deltas(found).where(*_within(found.c.effective_at, since, until))


def _of_effective_rest(
    dialect: str, ledger: Ledger, account_ids: Collection[UUID] | None, region: _Region, rest: spans.Stretch
) -> sa.Select[Any]:
    """Select what counts in the rest of a day and was recorded by then, by account and effective time."""
    is_its = [*_within(postings.c.effective_at, rest.since, rest.until)]
    if account_ids is not None:
        found = _fenced(ledger, account_ids, *is_its, by=postings.c.effective_at, also=postings.c.transaction_id)
        return _known(_deltas(found), found, region)
    moved = _moved_in(ledger, rest)
    if dialect == "sqlite":
        is_its.append(postings.c.account_id.in_(moved))
        found = _lines(ledger, is_its, also=postings.c.transaction_id).offset(0).subquery()
        return _known(_deltas(found), found, region)
    # PostgreSQL would make a join of IN, or none, as it sees fit. See Note [Plans for a new ledger].
    each = moved.subquery()
    is_its.append(postings.c.account_id == each.c.account_id)
    lines = _lines(ledger, is_its, also=postings.c.transaction_id).order_by(postings.c.effective_at)
    of_each = lines.offset(0).lateral()
    return _known(_deltas(of_each).select_from(each.join(of_each, sa.true())), of_each, region)


def _known(query: sa.Select[Any], found: sa.FromClause, region: _Region) -> sa.Select[Any]:
    until = region.recorded.until
    return query.where(*_within(found.c.transaction_id, None, None if until is None else ids.first_id(until)))


def _moved_in(ledger: Ledger, rest: spans.Stretch) -> sa.Select[Any]:
    """Select the accounts that have postings in the days of the rest: their index begins with the account."""
    first, last = rest.since.astimezone(UTC).date(), (rest.until - spans.TICK).astimezone(UTC).date()
    moved = sa.select(day_totals.c.account_id).distinct()
    return moved.where(day_totals.c.ledger_id == ledger.id, day_totals.c.effective_day.between(first, last))


def _fenced(
    ledger: Ledger,
    account_ids: Collection[UUID] | None,
    *conditions: sa.ColumnElement[bool],
    by: sa.Column[Any],
    also: sa.Column[Any],
) -> sa.Subquery:
    """Select postings by the index that goes `by` a column, and the other for conditions outside.

    The offset keeps those from choosing another index. Nor may the account alone choose one: where PostgreSQL thinks
    that it has next to nothing, all indexes that begin with it look the same, but one gives the order.
    """
    query = _lines(ledger, [*_of_accounts(postings, account_ids), *conditions], also=also)
    if account_ids is None or len(account_ids) == 1:
        query = query.order_by(by)
    return query.offset(0).subquery()


def _lines(ledger: Ledger, conditions: Iterable[sa.ColumnElement[bool]], *, also: sa.Column[Any]) -> sa.Select[Any]:
    names = ("account_id", "currency", "side", "effect", "amount")
    query = sa.select(*(postings.c[name] for name in names), also)
    return query.where(postings.c.ledger_id == ledger.id, *conditions)


def _deltas(of: sa.FromClause) -> sa.Select[Any]:
    return sa.select(of.c.account_id, of.c.currency, *deltas.of(of))


def _of_accounts(table: sa.Table, account_ids: Collection[UUID] | None) -> list[sa.ColumnElement[bool]]:
    if account_ids is None:
        return []
    if len(account_ids) == 1:
        return [table.c.account_id == next(iter(account_ids))]
    return [table.c.account_id.in_(account_ids)]


def _within(
    column: sa.ColumnElement[Any], first: object | None, end: object | None
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions of a range; `end` is not in it."""
    if first is not None:
        yield column >= first
    if end is not None:
        yield column < end
