"""Reversals: each takes back what its original posted, line by line. That it is the only one is a constraint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks
from myapp.ledger.model import Ledger, Side
from myapp.ledger.tables import postings, transactions
from myapp.ledger.verifying.check import Part
from myapp.ledger.verifying.moves import TO_POSTED

MIRROR = "reversals-mirror"

REVERSALS_AT_ONCE = 1_000

# Account, currency, side, amount.
Line = tuple[UUID, str, str, int]


def mirror(session: Session, ledger: Ledger, after: UUID | None) -> Part:
    """Check the next portion of reversals, those of originals after that id."""
    reverses = transactions.c.reverses
    query = sa.select(transactions.c.id, reverses).where(transactions.c.ledger_id == ledger.id, reverses.is_not(None))
    if after is not None:
        query = query.where(reverses > after)
    found = session.execute(query.order_by(reverses).limit(REVERSALS_AT_ONCE)).all()
    return Part(
        compared={"reversals": len(found)},
        violations=violations_of(session, ledger, {row.id: row.reverses for row in found}),
        next=found[-1].reverses if len(found) == REVERSALS_AT_ONCE else None,
    )


def violations_of(session: Session, ledger: Ledger, originals: Mapping[UUID, UUID]) -> Sequence[str]:
    """Return what is wrong with these reversals, each given with its original; two statements for each ten thousand.

    The reversal of a hold takes back what all its posts have posted.
    """
    parts = {original: [original] for original in originals.values()}
    for some in chunks.of(list(parts)):
        query = sa.select(transactions.c.id, transactions.c.pending_of)
        query = query.where(transactions.c.ledger_id == ledger.id, transactions.c.pending_of.in_(some))
        for row in session.execute(query) if some else ():
            parts[row.pending_of].append(row.id)
    posted = _posted(session, ledger, [*originals, *(part for of in parts.values() for part in of)])
    return [
        f"transaction {reversal} does not take back what {original} posted"
        for reversal, original in originals.items()
        if posted[reversal] != _turned(sum((posted[part] for part in parts[original]), Counter()))
    ]


def _posted(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> Mapping[UUID, Counter[Line]]:
    """Return the lines of each transaction that post."""
    lines: dict[UUID, Counter[Line]] = {each: Counter() for each in ids}
    for some in chunks.of(ids):
        query = sa.select(postings).where(postings.c.ledger_id == ledger.id, postings.c.transaction_id.in_(some))
        for row in session.execute(query) if some else ():
            if row.effect in TO_POSTED:
                lines[row.transaction_id][row.account_id, row.currency, row.side, row.amount] += 1
    return lines


def _turned(lines: Counter[Line]) -> Counter[Line]:
    other = {Side.DEBIT.value: Side.CREDIT.value, Side.CREDIT.value: Side.DEBIT.value}
    return Counter(
        {
            (account_id, currency, other[side], amount): times
            for (account_id, currency, side, amount), times in lines.items()
        }
    )
