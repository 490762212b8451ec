"""Holds: what remains of each is what it held less what was taken and released, and its state says so.

Read in portions of holds, each with all that followed it, by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Effect, Ledger, Status
from myapp.ledger.queries import by_key
from myapp.ledger.tables import events, hold_lines, holds, postings, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check, Part
from myapp.ledger.verifying.events import EXPIRED_TYPE, VOIDED_TYPE

KEPT = "holds-are-kept"
AGREE = "holds-agree"

HOLDS_AT_ONCE = 1_000

ENDED = {VOIDED_TYPE: Status.VOIDED, EXPIRED_TYPE: Status.EXPIRED}

# What identifies the part of a hold that a line takes from: account, currency, side.
Share = tuple[UUID, str, str]


def are_kept(session: Session, ledger: Ledger) -> Check:
    """Each pending transaction has its hold with its lines, and no other has one."""
    is_hold = sa.and_(transactions.c.status == Status.PENDING.value, transactions.c.pending_of.is_(None))
    pending = sa.select(transactions.c.id, transactions.c.expires_at).where(
        transactions.c.ledger_id == ledger.id, is_hold
    )
    kept = sa.select(holds.c.transaction_id, holds.c.expires_at).where(holds.c.ledger_id == ledger.id)
    held = sa.select(postings.c.transaction_id, postings.c.line).where(
        postings.c.ledger_id == ledger.id, postings.c.effect == Effect.PENDING.value
    )
    lines = sa.select(hold_lines.c.transaction_id, hold_lines.c.line).where(hold_lines.c.ledger_id == ledger.id)
    violations = [
        *(
            f"hold {row.id} is not kept as it was recorded"
            for row in check.first(session, check.differing(pending, kept))
        ),
        *(
            f"line {row.line} of hold {row.transaction_id} is not kept, or is none"
            for row in check.first(session, check.differing(held, lines))
        ),
    ]
    return check.of(KEPT, {"holds": check.count(session, ledger, holds)}, violations)


def agree(session: Session, ledger: Ledger, after: UUID | None) -> Part:
    """Check the next portion of holds, the ones after that id."""
    query = sa.select(holds.c.transaction_id).where(holds.c.ledger_id == ledger.id).order_by(holds.c.transaction_id)
    if after is not None:
        query = query.where(holds.c.transaction_id > after)
    ids = session.scalars(query.limit(HOLDS_AT_ONCE)).all()
    violations = violations_of(session, ledger, ids)
    return Part(
        compared={"holds": len(ids)},
        violations=violations,
        next=ids[-1] if len(ids) == HOLDS_AT_ONCE else None,
    )


def violations_of(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> Sequence[str]:
    """Return what is wrong with these holds; seven statements for each ten thousand."""
    followers = list(_read(session, ledger, transactions, transactions.c.pending_of, ids))
    following = [row.id for row in followers]
    reversals = _read(session, ledger, transactions, transactions.c.reverses, [*ids, *following])
    reversed_ids = {row.reverses for row in reversals}
    types = {row.id: row.type for row in _read(session, ledger, events, events.c.id, following)}
    left = _left(session, ledger, ids, {row.id: row.pending_of for row in followers})
    remaining: dict[UUID, dict[int, int]] = {}
    for line in _read(session, ledger, hold_lines, hold_lines.c.transaction_id, ids):
        remaining.setdefault(line.transaction_id, {})[line.line] = line.remaining
    of_hold: dict[UUID, list[AnyRow]] = {}
    for row in followers:
        of_hold.setdefault(row.pending_of, []).append(row)
    violations = []
    for hold in _read(session, ledger, holds, holds.c.transaction_id, ids):
        mine = of_hold.get(hold.transaction_id, [])
        posts = [row.id for row in mine if row.status == Status.POSTED]
        ends = [types.get(row.id, "") for row in mine if row.status == Status.PENDING]
        reversed_posts = len(posts) if hold.transaction_id in reversed_ids else len(reversed_ids & set(posts))
        replayed = left[hold.transaction_id]
        name = f"hold {hold.transaction_id}"
        if replayed is None or replayed != remaining.get(hold.transaction_id, {}):
            violations.append(f"{name}: what remains is not what it held less what was taken and released")
        elif hold.state != (should_be := _state(sum(replayed.values()), ends)):
            violations.append(f"{name} is {hold.state}, and should be {should_be}")
        if (hold.posts, hold.reversed_posts) != (len(posts), reversed_posts):
            violations.append(f"{name}: its posts, or those reversed, are not as many as it says")
    return violations


def _state(left: int, ends: Sequence[str]) -> str:
    if ends:
        return ENDED.get(ends[0], "of another kind") if left == 0 and len(ends) == 1 else "without anything left"
    return Status.PENDING if left else Status.POSTED


def _left(
    session: Session, ledger: Ledger, ids: Sequence[UUID], hold_of: Mapping[UUID, UUID]
) -> Mapping[UUID, dict[int, int] | None]:
    """Return what is left of each line of each hold; None where more was taken than there was.

    What follows a hold takes from its account, currency and side, the first lines first.
    """
    held: dict[UUID, dict[int, tuple[Share, int]]] = {each: {} for each in ids}
    taken: dict[UUID, Counter[Share]] = {each: Counter() for each in ids}
    for row in _read(session, ledger, postings, postings.c.transaction_id, [*ids, *hold_of]):
        share = (row.account_id, row.currency, row.side)
        if row.transaction_id in hold_of:
            taken[hold_of[row.transaction_id]][share] += row.amount
        else:
            held[row.transaction_id][row.line] = (share, row.amount)
    return {each: _fill(held[each], taken[each]) for each in ids}


def _fill(held: Mapping[int, tuple[Share, int]], taken: Counter[Share]) -> dict[int, int] | None:
    left = {}
    for line, (share, amount) in sorted(held.items()):
        used = min(amount, taken[share])
        taken[share] -= used
        left[line] = amount - used
    return None if +taken else left


def _read(
    session: Session, ledger: Ledger, table: sa.Table, key: sa.Column[UUID], ids: Sequence[UUID]
) -> Sequence[AnyRow]:
    return by_key.read(session, sa.select(table).where(table.c.ledger_id == ledger.id), key, ids)
