"""Read what became of recorded transactions: of holds, and of what was reversed. All by key, however many there are.

Note [What was known of a hold]
A hold ends with the last of the transactions that post it or give it back. So if all of those were known at a time, its
state then was that of now; else it was pending, or its time was over. What remained of it is what it held less what
those that were known have taken (remains.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Effect, Ledger, Status, Transaction
from myapp.ledger.queries import by_key, horizon, remains
from myapp.ledger.queries.horizon import Horizon

holds, hold_lines, transactions = tables.holds, tables.hold_lines, tables.transactions
accounts, postings = tables.accounts, tables.postings


@dataclass(frozen=True, slots=True)
class _Outcomes:
    states: Mapping[UUID, Status]
    remaining: Mapping[tuple[UUID, int], int]
    posted_by: Mapping[UUID, Sequence[UUID]]
    reversed_by: Mapping[UUID, UUID]

    def of(self, recorded: Transaction) -> Transaction:
        reversal = self.reversed_by.get(recorded.id)
        if recorded.pending_of is not None and recorded.status is Status.POSTED:
            reversal = reversal or self.reversed_by.get(recorded.pending_of)
        if recorded.id not in self.states:
            return replace(recorded, reversed_by=reversal)
        postings = [
            replace(posting, remaining_minor=self.remaining[recorded.id, posting.line]) for posting in recorded.postings
        ]
        return replace(
            recorded,
            status=self.states[recorded.id],
            postings=postings,
            posted_by=self.posted_by.get(recorded.id, ()),
            reversed_by=reversal,
        )


def follow(
    session: Session,
    ledger: Ledger,
    recorded: Sequence[Transaction],
    *,
    now: datetime,
    known_at: datetime | None = None,
) -> Sequence[Transaction]:
    """Return transactions with what has become of them since they were recorded, as far as it was known at a time.

    A hold whose time has come shows as expired, swept or not.
    """
    seen = horizon.at(known_at, now=now)
    held = [each for each in recorded if is_hold(each)]
    hold_ids = [each.id for each in held]
    followers = _read_followers(session, ledger, hold_ids)
    changed_since = {row.pending_of for row in followers if not seen.knows(row.id)}
    remaining = dict(_read_remaining(session, ledger, hold_ids))
    if changed_since:
        known = {row.id: row.pending_of for row in followers if seen.knows(row.id)}
        remaining |= remains.after(session, ledger, [each for each in held if each.id in changed_since], known)
    outcomes = _Outcomes(
        states=_read_states(session, ledger, hold_ids, seen=seen, changed_since=changed_since),
        remaining=remaining,
        posted_by=_posts(row for row in followers if seen.knows(row.id)),
        reversed_by=_read_reversals(session, ledger, recorded, seen),
    )
    return [outcomes.of(each) for each in recorded]


def is_hold(of: Transaction) -> bool:
    return any(posting.effect is Effect.PENDING for posting in of.postings)


def has_expired_holds(session: Session, ledger: Ledger, *, now: datetime, paths: Collection[str] | None = None) -> bool:
    """Say whether a hold still reserves though it has expired; with `paths`, of one of these accounts."""
    query = sa.select(holds.c.transaction_id).where(*is_expired(ledger, now=now, paths=paths))
    return session.scalar(query.limit(1)) is not None


def is_expired(
    ledger: Ledger, *, now: datetime, paths: Collection[str] | None = None
) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions on `holds` of what still reserves though it has expired.

    Very many `paths` are as good as all of them.
    """
    conditions = [holds.c.ledger_id == ledger.id, holds.c.state == Status.PENDING.value, holds.c.expires_at <= now]
    if paths is not None and len(paths) <= chunks.KEYS_MAX:
        conditions.append(_reserves_of(ledger, paths))
    return conditions


def _reserves_of(ledger: Ledger, paths: Collection[str]) -> sa.ColumnElement[bool]:
    """Say that a row of `holds` has a line of one of these accounts."""
    named = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, accounts.c.path.in_(sorted(paths)))
    lines = sa.select(postings.c.line).where(
        postings.c.ledger_id == ledger.id,
        postings.c.transaction_id == holds.c.transaction_id,
        postings.c.account_id.in_(named),
    )
    return lines.exists()


def list_posts(session: Session, ledger: Ledger, hold_id: UUID) -> Sequence[UUID]:
    """List the transactions that have posted a hold, the first first."""
    return _posts(_read_followers(session, ledger, [hold_id])).get(hold_id, ())


def read_final_states(session: Session, ledger: Ledger, hold_ids: Collection[UUID]) -> Mapping[UUID, Status]:
    """Return the states of holds that have ended."""
    rows = _read(session, holds, ledger, holds.c.transaction_id, sorted(hold_ids))
    return {row.transaction_id: Status(row.state) for row in rows}


def _read_states(
    session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, seen: Horizon, changed_since: Collection[UUID]
) -> Mapping[UUID, Status]:
    """See Note [What was known of a hold]."""
    states = {}
    for row in _read(session, holds, ledger, holds.c.transaction_id, hold_ids):
        state = Status.PENDING if row.transaction_id in changed_since else Status(row.state)
        is_over = state is Status.PENDING and row.expires_at is not None and row.expires_at <= seen.now
        states[row.transaction_id] = Status.EXPIRED if is_over else state
    return states


def _read_remaining(session: Session, ledger: Ledger, hold_ids: Sequence[UUID]) -> Mapping[tuple[UUID, int], int]:
    rows = _read(session, hold_lines, ledger, hold_lines.c.transaction_id, hold_ids)
    return {(row.transaction_id, row.line): row.remaining for row in rows}


def _read_followers(session: Session, ledger: Ledger, hold_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """Return what has posted these holds or given them back."""
    return _read(session, transactions, ledger, transactions.c.pending_of, hold_ids)


def _posts(followers: Iterable[AnyRow]) -> Mapping[UUID, Sequence[UUID]]:
    posts: dict[UUID, list[UUID]] = {}
    for row in followers:
        if row.status == Status.POSTED:
            posts.setdefault(row.pending_of, []).append(row.id)
    return {hold_id: sorted(found) for hold_id, found in posts.items()}


def _read_reversals(
    session: Session, ledger: Ledger, recorded: Sequence[Transaction], seen: Horizon
) -> Mapping[UUID, UUID]:
    ids = {each.id for each in recorded} | {each.pending_of for each in recorded if each.pending_of is not None}
    rows = _read(session, transactions, ledger, transactions.c.reverses, sorted(ids))
    return {row.reverses: row.id for row in rows if seen.knows(row.id)}


def _read(
    session: Session, table: sa.Table, ledger: Ledger, key: sa.Column[UUID], ids: Sequence[UUID]
) -> Sequence[AnyRow]:
    return by_key.read(session, sa.select(table).where(table.c.ledger_id == ledger.id), key, ids)
