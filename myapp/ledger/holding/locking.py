"""Lock holds, by id, and read what is left of them; write back what became of them.

Whoever posts, voids or expires a hold has its row locked, so that no two take the same money; should they ever, the
constraint on what remains refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import BATCH_POSTINGS_MAX, POSTINGS_MAX, Ledger, Side, Status
from myapp.ledger.queries import by_key, outcomes
from myapp.ledger.tables import accounts, hold_lines, holds, postings, transactions


@dataclass(slots=True, kw_only=True)
class HeldLine:
    """One line of a hold, and what is left of it."""

    line: int
    path: str
    currency: str
    side: Side
    remaining: int


@dataclass(slots=True, kw_only=True)
class Hold:
    """A pending hold, locked, as it is being changed."""

    id: UUID
    description: str | None
    effective_at: datetime
    expires_at: datetime | None
    state: Status
    posts: int
    lines: Sequence[HeldLine]

    def is_used_up(self) -> bool:
        return not any(line.remaining for line in self.lines)


UPDATE_HOLD = sa.update(holds).where(
    holds.c.ledger_id == sa.bindparam("of_ledger"),
    holds.c.transaction_id == sa.bindparam("of_hold"),
    holds.c.state == Status.PENDING.value,
)
UPDATE_LINE = sa.update(hold_lines).where(
    hold_lines.c.ledger_id == sa.bindparam("of_ledger"),
    hold_lines.c.transaction_id == sa.bindparam("of_hold"),
    hold_lines.c.line == sa.bindparam("of_line"),
)


def lock(
    session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime, judges_expiry: bool = True
) -> Mapping[UUID, Hold]:
    """Lock these holds and return them; without `judges_expiry` also those that have expired by `now`.

    Raises:
        UnknownHold: there is no transaction with such an id; `index` is its place.
        NotPending: one of them is no hold, or was posted, voided or has expired by `now`; `index` is its place.
    """
    rows = {row.transaction_id: row for row in lock_rows(session, ledger, sorted(set(hold_ids)))}
    for index, hold_id in enumerate(hold_ids):
        row = rows.get(hold_id)
        if row is None:
            _require_transaction(session, ledger, hold_id, index=index)
            raise errors.NotPending(f"The transaction {hold_id} is no hold.", index=index)
        if row.state != Status.PENDING:
            raise errors.NotPending(f"The hold {hold_id} is {row.state} already.", index=index)
        if judges_expiry and row.expires_at is not None and row.expires_at <= now:
            raise errors.NotPending(f"The hold {hold_id} expired at {row.expires_at.isoformat()}.", index=index)
    return _read(session, ledger, list(rows.values()))


def lock_rows(session: Session, ledger: Ledger, hold_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """Lock those of the sorted ids that are holds, whatever became of them, and return their rows."""
    query = sa.select(holds).order_by(holds.c.transaction_id).with_for_update(key_share=True)
    query = query.where(holds.c.ledger_id == ledger.id)
    return [
        row for some in chunks.of(hold_ids) for row in session.execute(query.where(holds.c.transaction_id.in_(some)))
    ]


def lock_expired(
    session: Session, ledger: Ledger, *, now: datetime, limit: int, paths: Collection[str] | None
) -> Mapping[UUID, Hold]:
    """Lock holds that have expired and are pending still, at most so many.

    Of any account it takes the first to expire, and leaves those that another has locked to it. With `paths` it takes
    those that reserve of one of these accounts, and waits for who has them locked; what they have ended is left out.
    """
    query = sa.select(holds).where(*outcomes.is_expired(ledger, now=now, paths=paths)).limit(limit)
    if paths is None:
        query = query.order_by(holds.c.expires_at, holds.c.transaction_id)
    else:
        query = query.order_by(holds.c.transaction_id)
    query = query.with_for_update(key_share=True, skip_locked=paths is None)
    return _read(session, ledger, session.execute(query).all())


def write_back(session: Session, ledger: Ledger, changed: Collection[Hold]) -> None:
    """Write what became of locked holds."""
    session.execute(
        UPDATE_HOLD,
        [
            {"of_ledger": ledger.id, "of_hold": hold.id, "state": hold.state.value, "posts": hold.posts}
            for hold in changed
        ],
    )
    session.execute(
        UPDATE_LINE,
        [
            {"of_ledger": ledger.id, "of_hold": hold.id, "of_line": line.line, "remaining": line.remaining}
            for hold in changed
            for line in hold.lines
        ],
    )


def _require_few_lines(session: Session, ledger: Ledger, hold_ids: Sequence[UUID]) -> None:
    """Raises: InvalidTransaction: together they have more postings than one request may record."""
    if len(hold_ids) * POSTINGS_MAX <= BATCH_POSTINGS_MAX:
        return
    query = sa.select(sa.func.count()).select_from(hold_lines).where(hold_lines.c.ledger_id == ledger.id)
    counts = [session.scalar(query.where(hold_lines.c.transaction_id.in_(some))) for some in chunks.of(hold_ids)]
    if sum(count or 0 for count in counts) > BATCH_POSTINGS_MAX:
        raise errors.InvalidTransaction(f"The holds of a request have at most {BATCH_POSTINGS_MAX} postings together.")


def _require_transaction(session: Session, ledger: Ledger, transaction_id: UUID, *, index: int) -> None:
    query = sa.select(transactions.c.id).where(
        transactions.c.ledger_id == ledger.id, transactions.c.id == transaction_id
    )
    if session.scalar(query) is None:
        raise errors.UnknownHold(f"There is no transaction {transaction_id}.", index=index)


def _read(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Mapping[UUID, Hold]:
    """Read what belongs to locked holds by key. See Note [Plans for a new ledger] in queries/__init__.py."""
    if not rows:
        return {}
    ids = [row.transaction_id for row in rows]
    _require_few_lines(session, ledger, ids)
    left = {
        (row.transaction_id, row.line): row.remaining
        for row in _of(session, ledger, hold_lines, hold_lines.c.transaction_id, ids)
    }
    lines = _of(session, ledger, postings, postings.c.transaction_id, ids)
    account_ids = sorted({line.account_id for line in lines})
    paths = {row.id: row.path for row in _of(session, ledger, accounts, accounts.c.id, account_ids)}
    made = {row.id: row for row in _of(session, ledger, transactions, transactions.c.id, ids)}
    held: dict[UUID, list[HeldLine]] = {hold_id: [] for hold_id in ids}
    for line in sorted(lines, key=lambda line: line.line):
        held[line.transaction_id].append(
            HeldLine(
                line=line.line,
                path=paths[line.account_id],
                currency=line.currency,
                side=Side(line.side),
                remaining=left[line.transaction_id, line.line],
            )
        )
    return {
        row.transaction_id: Hold(
            id=row.transaction_id,
            description=made[row.transaction_id].description,
            effective_at=made[row.transaction_id].effective_at,
            expires_at=row.expires_at,
            state=Status(row.state),
            posts=row.posts,
            lines=held[row.transaction_id],
        )
        for row in rows
    }


def _of(
    session: Session, ledger: Ledger, table: sa.Table, key: sa.Column[UUID], ids: Sequence[UUID]
) -> Sequence[AnyRow]:
    return by_key.read(session, sa.select(table).where(table.c.ledger_id == ledger.id), key, ids)
