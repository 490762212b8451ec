"""What a posting does to the four counters of its balance, as SQL and as Python.

Sums are taken in two halves of 32 bits: SQLite's SUM fails beyond 64, and a total over many accounts may well be there
although every balance fits.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from myapp.ledger.columns import AnyRow, Int64
from myapp.ledger.model import Effect, Side
from myapp.ledger.tables import postings

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
HALF = 1 << 32

TO_POSTED = (Effect.POSTED.value, Effect.TAKEN.value)
FROM_PENDING = (Effect.TAKEN.value, Effect.RELEASED.value)

NOTHING = sa.literal(0, Int64)
POSTED = sa.case((postings.c.effect.in_(TO_POSTED), postings.c.amount), else_=NOTHING)
PENDING = sa.case(
    (postings.c.effect == Effect.PENDING.value, postings.c.amount),
    (postings.c.effect.in_(FROM_PENDING), -postings.c.amount),
    else_=NOTHING,
)


def _of(side: Side, moved: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((postings.c.side == side.value, moved), else_=NOTHING)


# By counter: what the posting adds to it.
ADDED: Mapping[str, sa.ColumnElement[int]] = {
    "debits_posted": _of(Side.DEBIT, POSTED),
    "credits_posted": _of(Side.CREDIT, POSTED),
    "debits_pending": _of(Side.DEBIT, PENDING),
    "credits_pending": _of(Side.CREDIT, PENDING),
}


def added(posting: AnyRow) -> tuple[int, int, int, int]:
    """Return what a posting adds to each of the four counters."""
    effect = Effect(posting.effect)
    posted, pending = posting.amount * effect.is_posted, posting.amount * effect.pending_sign
    return (posted, 0, pending, 0) if posting.side == Side.DEBIT else (0, posted, 0, pending)


def halves(of: sa.ColumnElement[int]) -> Mapping[str, sa.ColumnElement[int]]:
    """Return the sums of the high and of the low half."""
    return {"high": sa.func.sum(of // HALF), "low": sa.func.sum(of % HALF)}


def total(of: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Sum without failing: beyond 64 bits SQLite goes on with a float, which still differs from any integer there."""
    parts = halves(of)
    return parts["high"] * HALF + parts["low"]


def wide(of: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Widen a 64-bit integer on PostgreSQL; on SQLite it stays what it is."""
    return sa.cast(of, sa.Numeric)
