"""What a posting adds to each counter of its balance, in SQL; less than nothing where it takes from what is pending."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from myapp.ledger import tables
from myapp.ledger.columns import Int64
from myapp.ledger.model import Effect, Side

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
POSTS = tuple(effect for effect in Effect if effect.is_posted)
HOLDS = tuple(effect for effect in Effect if effect.pending_sign > 0)
ENDS_HOLDING = tuple(effect for effect in Effect if effect.pending_sign < 0)


def of(postings: sa.FromClause = tables.postings) -> Sequence[sa.ColumnElement[int]]:
    """Return the four deltas of the postings of a table or subquery, named as the counters."""
    nothing = sa.literal(0, Int64)
    amount: sa.ColumnElement[int] = postings.c.amount

    def has(effects: Sequence[Effect]) -> sa.ColumnElement[bool]:
        return postings.c.effect.in_([effect.value for effect in effects])

    posted = sa.case((has(POSTS), amount), else_=nothing)
    pending = sa.case((has(HOLDS), amount), (has(ENDS_HOLDING), -amount), else_=nothing)
    is_debit = postings.c.side == Side.DEBIT.value
    return (
        sa.case((is_debit, posted), else_=nothing).label("debits_posted"),
        sa.case((is_debit, nothing), else_=posted).label("credits_posted"),
        sa.case((is_debit, pending), else_=nothing).label("debits_pending"),
        sa.case((is_debit, nothing), else_=pending).label("credits_pending"),
    )
