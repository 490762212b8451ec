"""Transactions by themselves: each balances, and its postings are of its kind and of its time."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.model import Effect, Ledger, Status
from myapp.ledger.tables import postings, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.moves import ADDED, total

BALANCE = "transactions-balance"
EFFECTS = "effects-agree"
TIMES = "effective-times-agree"


def balance(session: Session, ledger: Ledger) -> Check:
    """Each transaction has two postings at least, and is zero in each currency, posted and pending alike."""
    net_posted = total(ADDED["debits_posted"]) - total(ADDED["credits_posted"])
    net_pending = total(ADDED["debits_pending"]) - total(ADDED["credits_pending"])
    group = (postings.c.transaction_id, postings.c.currency)
    unbalanced = sa.select(*group).where(postings.c.ledger_id == ledger.id).group_by(*group)
    is_wrong = sa.or_(net_posted != 0, net_pending != 0, sa.func.count(postings.c.line) < 2)
    found = check.first(session, unbalanced.having(is_wrong))
    empty = sa.except_(
        sa.select(transactions.c.id).where(transactions.c.ledger_id == ledger.id),
        sa.select(postings.c.transaction_id).where(postings.c.ledger_id == ledger.id),
    )
    without = check.first(session, empty)
    return check.of(
        BALANCE,
        {
            "transactions": check.count(session, ledger, transactions),
            "postings": check.count(session, ledger, postings),
        },
        [
            *(f"transaction {row.transaction_id}, {row.currency}: it does not balance" for row in found),
            *(f"transaction {row.id} has no postings" for row in without),
        ],
    )


def effects_agree(session: Session, ledger: Ledger) -> Check:
    """What is posted directly posts, a hold leaves pending, and what follows a hold takes of it or gives back."""
    is_posted = transactions.c.status == Status.POSTED.value
    follows = transactions.c.pending_of.is_not(None)
    allowed = {
        Effect.POSTED: (is_posted, ~follows),
        Effect.TAKEN: (is_posted, follows),
        Effect.PENDING: (~is_posted, ~follows),
        Effect.RELEASED: (follows,),
    }
    of_kind = sa.union_all(
        *(
            sa.select(transactions.c.id, sa.literal(effect.value, postings.c.effect.type).label("effect")).where(
                transactions.c.ledger_id == ledger.id, *conditions
            )
            for effect, conditions in allowed.items()
        )
    ).subquery()
    there = sa.select(postings.c.transaction_id, postings.c.effect).where(postings.c.ledger_id == ledger.id)
    found = check.first(session, sa.except_(there, sa.select(of_kind)))
    return check.of(
        EFFECTS,
        {"postings": check.count(session, ledger, postings)},
        [f"transaction {row.transaction_id} has a posting with the effect {row.effect}" for row in found],
    )


def effective_times_agree(session: Session, ledger: Ledger) -> Check:
    """Each posting counts when its transaction does."""
    query = sa.except_(
        sa.select(postings.c.transaction_id, postings.c.effective_at).where(postings.c.ledger_id == ledger.id),
        sa.select(transactions.c.id, transactions.c.effective_at).where(transactions.c.ledger_id == ledger.id),
    )
    found = check.first(session, query)
    return check.of(
        TIMES,
        {"postings": check.count(session, ledger, postings)},
        [f"a posting of transaction {row.transaction_id} has another time" for row in found],
    )
