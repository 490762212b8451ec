"""Give back what holds still reserve: because someone voids them, or because they have expired."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.db.errors import Conflict
from myapp.ledger import errors, idempotency, ids, plan
from myapp.ledger.holding import locking
from myapp.ledger.holding.locking import Hold
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import BATCH_MAX, Effect, EventType, Ledger, Status
from myapp.ledger.recording import moving, steps
from myapp.ledger.recording.request import Entry, Request

EVENTS = {Status.VOIDED: EventType.TRANSACTION_VOIDED, Status.EXPIRED: EventType.TRANSACTION_EXPIRED}


def void(
    session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime, claim: Claim | None
) -> Sequence[UUID] | None:
    """Void holds, all or none, and return the records of it; None where the claim's key is in use.

    What was posted of a hold before stays posted.
    Raises:
        InvalidTransaction: no or too many holds, or one twice.
        UnknownHold, NotPending: one of them is not there, or is no hold that is pending.
    """
    if not 1 <= len(hold_ids) <= BATCH_MAX:
        raise errors.InvalidTransaction(f"A request voids 1 to {BATCH_MAX} holds, not {len(hold_ids)}.")
    if len(set(hold_ids)) < len(hold_ids):
        raise errors.InvalidTransaction("A hold occurs twice among those to void.")
    record_ids = ids.new_ids(now, len(hold_ids))
    if claim is not None and not idempotency.take_for_transactions(session, ledger.id, claim, record_ids, now=now):
        return None
    held = locking.lock(session, ledger, hold_ids, now=now)
    _release(
        session,
        ledger,
        [held[hold_id] for hold_id in hold_ids],
        record_ids,
        state=Status.VOIDED,
        counts_at=lambda _hold: now,
        now=now,
    )
    return record_ids


def expire(session: Session, ledger: Ledger, *, now: datetime, limit: int, paths: Collection[str] | None = None) -> int:
    """Give back what holds reserve that have expired, and return how many; at most `limit`, the first to expire first.

    With `paths` only of those that reserve of one of these accounts. It counts from when the hold expired, or from the
    start of the open period where that was closed since.
    Raises:
        Conflict: the period was closed in this moment.
    """
    held = list(locking.lock_expired(session, ledger, now=now, limit=limit, paths=paths).values())
    if not held:
        return 0

    def counts_at(hold: Hold) -> datetime:
        expired_at = hold.expires_at or now
        return expired_at if ledger.locked_before is None else max(expired_at, ledger.locked_before)

    record_ids = ids.new_ids(now, len(held))
    try:
        _release(session, ledger, held, record_ids, state=Status.EXPIRED, counts_at=counts_at, now=now)
    except errors.PeriodLocked as refusal:
        raise Conflict("The period is being closed.") from refusal
    return len(held)


def _release(
    session: Session,
    ledger: Ledger,
    held: Sequence[Hold],
    record_ids: Iterable[UUID],
    *,
    state: Status,
    counts_at: Callable[[Hold], datetime],
    now: datetime,
) -> None:
    draft = plan.Draft()
    entries = []
    for index, (hold, record_id) in enumerate(zip(held, record_ids, strict=True)):
        left = [line for line in hold.lines if line.remaining]
        for line, of in enumerate(left):
            draft.add(index, line, (of.path, of.currency), of.side, of.remaining, Effect.RELEASED)
            of.remaining = 0
        draft.end_transaction()
        hold.state = state
        entries.append(
            Entry(
                id=record_id,
                effective_at=counts_at(hold),
                description=hold.description,
                status=Status.PENDING,
                pending_of=hold.id,
                event=EVENTS[state],
            )
        )
    request = Request(ledger=ledger, entries=entries, plan=draft.finish(), now=now)
    steps.write(session, request, moving.shift)
    locking.write_back(session, ledger, held)
