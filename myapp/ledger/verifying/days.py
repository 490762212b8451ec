"""Day totals: each is the sum of the postings of its effective day that were recorded on its recorded day, in UTC.

A posting is recorded when its transaction is. The two are brought together by a window over both tables, not by a join:
see Note [Plans for a new ledger] in queries/__init__.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import ids
from myapp.ledger.columns import Day, UtcDay
from myapp.ledger.model import Ledger
from myapp.ledger.tables import accounts, day_totals, postings, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.moves import ADDED, COUNTERS, total

SUMS = "day-totals-are-sums"

BALANCE_KEY = ("ledger_id", "account_id", "currency")
KEY = (*BALANCE_KEY, "effective_day", "recorded_day")
ACCOUNTS_AT_ONCE = 1_000
TRANSACTION_FIRST, POSTING_AFTER = 0, 1
EVERY = sa.true()


def day_totals_are_sums(session: Session, ledger: Ledger) -> Check:
    """Each day total is the sum of its postings, and no postings are without one."""
    stored = sa.select(*(day_totals.c[name] for name in (*KEY, *COUNTERS))).where(day_totals.c.ledger_id == ledger.id)
    found = differing(session, stored, sums(dated(ledger)))
    return check.of(
        SUMS,
        {
            "day totals": check.count(session, ledger, day_totals),
            "postings": check.count(session, ledger, postings),
        },
        found,
    )


def violations_of(session: Session, ledger: Ledger, recorded_day: date, account_ids: Sequence[UUID]) -> Iterator[str]:
    """Yield what is wrong with what these accounts were given on one day; reads no other day's postings."""
    start = datetime.combine(recorded_day, time(), UTC)
    first, end = ids.first_id(start), ids.first_id(start + timedelta(days=1))
    is_of_day = sa.and_(transactions.c.id >= first, transactions.c.id < end)
    for place in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        some = account_ids[place : place + ACCOUNTS_AT_ONCE]
        stored = sa.select(*(day_totals.c[name] for name in (*KEY, *COUNTERS))).where(
            day_totals.c.ledger_id == ledger.id,
            day_totals.c.account_id.in_(some),
            day_totals.c.recorded_day == recorded_day,
        )
        is_theirs = sa.and_(
            postings.c.account_id.in_(some), postings.c.transaction_id >= first, postings.c.transaction_id < end
        )
        yield from differing(session, stored, sums(dated(ledger, of_transactions=is_of_day, of_postings=is_theirs)))


def differing(session: Session, stored: sa.Select[Any], summed: sa.Select[Any]) -> list[str]:
    """Return what to say of the days at which the two differ."""
    different = check.differing(stored, summed).subquery()
    query = sa.select(accounts.c.path, *(different.c[name] for name in KEY[1:])).select_from(
        check.with_account(different)
    )
    return [
        f"{check.account(row)} in {row.currency}: the total of {row.effective_day}, recorded {row.recorded_day}, "
        "differs from its postings"
        for row in check.first(session, query.distinct())
    ]


def sums(of: sa.Subquery) -> sa.Select[Any]:
    """Sum dated postings by day; the rows are those of `day_totals`."""
    key = [of.c[name] for name in KEY]
    return sa.select(*key, *(total(of.c[name]) for name in COUNTERS)).group_by(*key)


def dated(
    ledger: Ledger,
    *,
    of_transactions: sa.ColumnElement[bool] = EVERY,
    of_postings: sa.ColumnElement[bool] = EVERY,
) -> sa.Subquery:
    """Select the postings with their effective and their recorded day: all, or those of the conditions."""
    moved: dict[str, sa.ColumnElement[Any]] = {
        **{name: postings.c[name] for name in BALANCE_KEY},
        "effective_day": UtcDay(postings.c.effective_at),
        **ADDED,
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
    each = sa.select(*(both.c[name] for name in moved), both.c.nth, recorded_day.label("recorded_day")).subquery()
    return sa.select(each).where(each.c.nth == POSTING_AFTER).subquery()
