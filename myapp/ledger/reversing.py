"""Reverse a transaction, once: record another with its sides swapped.

Whoever reverses has the transaction locked, so that no two do; the unique constraint on `reverses` says so too. A hold
is reversed as a whole, or each of the transactions that posted it, but not both: it counts its reversed posts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors, idempotency, ids, plan, queries
from myapp.ledger.columns import AnyRow
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import POSTINGS_MAX, Effect, Ledger, NewReversal, Posting, Side, Status, Transaction
from myapp.ledger.recording import moving, outcome, steps
from myapp.ledger.recording.request import Entry, Request
from myapp.ledger.tables import holds, transactions

OTHER_SIDE = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}


@dataclass(frozen=True, slots=True)
class _HoldUse:
    """How many posts of which hold are reversed, one or all."""

    hold_id: UUID
    is_whole: bool


def reverse(
    session: Session, ledger: Ledger, wanted: NewReversal, *, now: datetime, claim: Claim | None
) -> Transaction | None:
    """Reverse a transaction and return the one that does; None where the claim's key is in use.

    Of a hold that is posted all its posts are reversed.
    Raises:
        UnknownOriginal: there is no such transaction.
        NotPosted: nothing of it is posted, or it is a hold that may still be posted.
        AlreadyReversed: it was reversed before, or a part of the hold was, or the hold that it posts.
        AccountClosed, PeriodLocked, DuplicateReference, AmountOutOfRange, InsufficientFunds, LimitExceeded: as
            recording a transaction.
    """
    new_id = ids.new_id(now)
    if claim is not None and not idempotency.take_for_transactions(session, ledger.id, claim, [new_id], now=now):
        return None
    original = _lock_one(session, ledger, wanted.transaction_id)
    _require_unreversed(session, ledger, original)
    lines = _posted_lines(session, ledger, original)
    draft = plan.Draft()
    for line, posting in enumerate(lines):
        side = OTHER_SIDE[posting.side]
        draft.add(0, line, (posting.account, posting.currency), side, posting.amount_minor, Effect.POSTED)
    draft.end_transaction()
    entry = Entry(
        id=new_id,
        effective_at=wanted.effective_at or now,
        reference=wanted.reference,
        description=original.description if wanted.description is None else wanted.description,
        metadata=wanted.metadata,
        reverses=original.id,
    )
    request = Request(ledger=ledger, entries=[entry], plan=draft.finish(), now=now)
    return outcome.transactions(request, steps.write(session, request, moving.add))[0]


def lock(session: Session, ledger: Ledger, transaction_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """Lock those of the sorted ids that there are against being reversed, and return their rows."""
    query = sa.select(transactions).order_by(transactions.c.id).with_for_update(key_share=True)
    query = query.where(transactions.c.ledger_id == ledger.id)
    return [
        row for some in chunks.of(transaction_ids) for row in session.execute(query.where(transactions.c.id.in_(some)))
    ]


def _lock_one(session: Session, ledger: Ledger, transaction_id: UUID) -> AnyRow:
    rows = lock(session, ledger, [transaction_id])
    if not rows:
        raise errors.UnknownOriginal(f"There is no transaction {transaction_id}.")
    return rows[0]


def _require_unreversed(session: Session, ledger: Ledger, original: AnyRow) -> None:
    reversal = _find_reversal(session, ledger, [original.id])
    if reversal is not None:
        detail = f"The transaction was reversed by {reversal}."
        raise errors.AlreadyReversed(detail, transaction_id=reversal)


def _find_reversal(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> UUID | None:
    query = sa.select(transactions.c.id).where(transactions.c.ledger_id == ledger.id, transactions.c.reverses.in_(ids))
    return session.scalar(query.order_by(transactions.c.id).limit(1))


def _posted_lines(session: Session, ledger: Ledger, original: AnyRow) -> Sequence[Posting]:
    """Return the lines to reverse; where they are of a hold, count them as reversed."""
    parts: Sequence[UUID] = [original.id]
    if original.status == Status.POSTED:
        if original.pending_of is not None:
            _count_reversed(session, ledger, _HoldUse(original.pending_of, is_whole=False))
    elif original.pending_of is None:
        _count_reversed(session, ledger, _HoldUse(original.id, is_whole=True))
        parts = queries.list_posts(session, ledger, original.id)
    else:
        raise errors.NotPosted("It gave back what a hold had reserved; nothing of it is posted.")
    found = queries.load_transactions(session, ledger, parts)
    lines = [posting for part in found for posting in part.postings if posting.effect.is_posted]
    if len(lines) > POSTINGS_MAX:
        detail = f"The hold was posted by {len(parts)} transactions with {len(lines)} postings; reverse each of them."
        raise errors.InvalidTransaction(detail)
    return lines


def _count_reversed(session: Session, ledger: Ledger, use: _HoldUse) -> None:
    is_it = sa.and_(holds.c.ledger_id == ledger.id, holds.c.transaction_id == use.hold_id)
    row = session.execute(sa.select(holds).where(is_it).with_for_update(key_share=True)).one()
    if use.is_whole and row.state != Status.POSTED:
        detail = f"The hold is {row.state}. "
        detail += "Void it instead." if row.state == Status.PENDING else "Reverse each transaction that posted it."
        raise errors.NotPosted(detail)
    count = row.posts if use.is_whole else 1
    if row.reversed_posts + count > row.posts:
        whole, part = "A part of the hold was reversed before.", "The hold it posts was reversed as a whole."
        reversal = _find_reversal(session, ledger, [use.hold_id, *queries.list_posts(session, ledger, use.hold_id)])
        raise errors.AlreadyReversed(whole if use.is_whole else part, transaction_id=reversal)
    session.execute(sa.update(holds).where(is_it).values(reversed_posts=holds.c.reversed_posts + count))
