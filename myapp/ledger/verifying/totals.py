"""Period totals: a day's are the sum of the postings of its effective day that were recorded on its recorded day, in
UTC; a month's are the sum of its days'.

A posting is recorded when its transaction is. The two are brought together by a window over both tables, not by a join:
see Note [Plans for a new ledger] in queries/__init__.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import grains, ids
from myapp.ledger.columns import Day, Int64, MonthOf, UtcDay
from myapp.ledger.grains import Grain
from myapp.ledger.model import Ledger
from myapp.ledger.tables import accounts, period_totals, postings, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.moves import ADDED, COUNTERS, total

DAYS = "day-totals-are-sums"
MONTHS = "month-totals-are-sums"

BALANCE_KEY = ("ledger_id", "account_id", "currency")
KEY = (*BALANCE_KEY, "effective_from", "recorded_from")
TOTALLED = (*COUNTERS, "lines")
ACCOUNTS_AT_ONCE = 1_000
TRANSACTION_FIRST, POSTING_AFTER = 0, 1
EVERY = sa.true()


def day_totals_are_sums(session: Session, ledger: Ledger) -> Check:
    """Each total of a day is the sum of its postings, and no postings are without one."""
    compared = {"day totals": count(session, ledger, Grain.DAY), "postings": check.count(session, ledger, postings)}
    found = differing(session, "total of the day", stored(ledger, Grain.DAY), sums_of_postings(dated(ledger)))
    return check.of(DAYS, compared, found)


def month_totals_are_sums(session: Session, ledger: Ledger) -> Check:
    """Each total of a month is the sum of its days, and no days are without one."""
    compared = {
        "month totals": count(session, ledger, Grain.MONTH),
        "day totals": count(session, ledger, Grain.DAY),
    }
    found = differing(session, "total of the month", stored(ledger, Grain.MONTH), sums_of_days(ledger))
    return check.of(MONTHS, compared, found)


def violations_of_day(
    session: Session, ledger: Ledger, recorded_on: date, account_ids: Sequence[UUID]
) -> Iterator[str]:
    """Yield what is wrong with what these accounts were given on one day; reads no other day's postings."""
    start = grains.start_of(recorded_on)
    first, end = ids.first_id(start), ids.first_id(start + timedelta(days=1))
    is_of_day = sa.and_(transactions.c.id >= first, transactions.c.id < end)
    for some in _portions(account_ids):
        is_kept = sa.and_(period_totals.c.account_id.in_(some), period_totals.c.recorded_from == recorded_on)
        is_theirs = sa.and_(
            postings.c.account_id.in_(some), postings.c.transaction_id >= first, postings.c.transaction_id < end
        )
        summed = sums_of_postings(dated(ledger, of_transactions=is_of_day, of_postings=is_theirs))
        yield from differing(session, "total of the day", stored(ledger, Grain.DAY, is_kept), summed)


def violations_of_month(
    session: Session, ledger: Ledger, recorded_from: date, account_ids: Sequence[UUID]
) -> Iterator[str]:
    """Yield what is wrong with what these accounts were given in one month, against its days."""
    end = grains.day_of(Grain.MONTH.up(grains.start_of(recorded_from + timedelta(days=1))))
    recorded = period_totals.c.recorded_from
    for some in _portions(account_ids):
        is_theirs = period_totals.c.account_id.in_(some)
        kept = stored(ledger, Grain.MONTH, sa.and_(is_theirs, recorded == recorded_from))
        summed = sums_of_days(ledger, sa.and_(is_theirs, recorded >= recorded_from, recorded < end))
        yield from differing(session, "total of the month", kept, summed)


def _portions(account_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for place in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        yield account_ids[place : place + ACCOUNTS_AT_ONCE]


def differing(session: Session, what: str, kept: sa.Select[Any], summed: sa.Select[Any]) -> list[str]:
    """Return what to say of the periods at which the two differ."""
    different = check.differing(kept, summed).subquery()
    query = sa.select(accounts.c.path, *(different.c[name] for name in KEY[1:])).select_from(
        check.with_account(different)
    )
    return [
        f"{check.account(row)} in {row.currency}: the {what} from {row.effective_from}, recorded from "
        f"{row.recorded_from}, differs from the sum"
        for row in check.first(session, query.distinct())
    ]


def count(session: Session, ledger: Ledger, grain: Grain) -> int:
    return check.count(session, ledger, period_totals, period_totals.c.grain == grain.value)


def stored(ledger: Ledger, grain: Grain, condition: sa.ColumnElement[bool] = EVERY) -> sa.Select[Any]:
    """Select the totals of a grain."""
    columns = (period_totals.c[name] for name in (*KEY, *TOTALLED))
    is_its = sa.and_(period_totals.c.ledger_id == ledger.id, period_totals.c.grain == grain.value)
    return sa.select(*columns).where(is_its, condition)


def sums_of_days(ledger: Ledger, condition: sa.ColumnElement[bool] = EVERY) -> sa.Select[Any]:
    """Sum the days by month; the rows are those of the months' totals."""
    days = stored(ledger, Grain.DAY, condition).subquery()
    key = [
        *(days.c[name] for name in BALANCE_KEY),
        MonthOf(days.c.effective_from).label("effective_from"),
        MonthOf(days.c.recorded_from).label("recorded_from"),
    ]
    return sa.select(*key, *(total(days.c[name]) for name in TOTALLED)).group_by(*key)


def sums_of_postings(of: sa.Subquery) -> sa.Select[Any]:
    """Sum dated postings by day; the rows are those of the days' totals."""
    key = [of.c[name] for name in KEY]
    return sa.select(*key, *(total(of.c[name]) for name in TOTALLED)).group_by(*key)


def dated(
    ledger: Ledger,
    *,
    of_transactions: sa.ColumnElement[bool] = EVERY,
    of_postings: sa.ColumnElement[bool] = EVERY,
) -> sa.Subquery:
    """Select the postings with their effective and their recorded day: all, or those of the conditions."""
    moved: dict[str, sa.ColumnElement[Any]] = {
        **{name: postings.c[name] for name in BALANCE_KEY},
        "effective_from": UtcDay(postings.c.effective_at),
        **ADDED,
        "lines": sa.literal(1, Int64),
    }
    lines = sa.select(
        postings.c.transaction_id.label("transaction_id"),
        sa.literal(POSTING_AFTER, sa.Integer).label("nth"),
        sa.cast(sa.null(), Day()).label("recorded_on"),
        *(column.label(name) for name, column in moved.items()),
    )
    heads = sa.select(
        transactions.c.id.label("transaction_id"),
        sa.literal(TRANSACTION_FIRST, sa.Integer).label("nth"),
        UtcDay(transactions.c.recorded_at).label("recorded_on"),
        *(sa.cast(sa.null(), column.type).label(name) for name, column in moved.items()),
    )
    both = sa.union_all(
        heads.where(transactions.c.ledger_id == ledger.id, of_transactions),
        lines.where(postings.c.ledger_id == ledger.id, of_postings),
    ).subquery()
    recorded_day = sa.func.first_value(both.c.recorded_on, type_=Day()).over(
        partition_by=both.c.transaction_id, order_by=both.c.nth
    )
    each = sa.select(*(both.c[name] for name in moved), both.c.nth, recorded_day.label("recorded_from")).subquery()
    return sa.select(each).where(each.c.nth == POSTING_AFTER).subquery()
