"""Give back what holds still reserve: because someone voids them, they have expired, or it happened before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.db.errors import Conflict
from myapp.ledger import errors, idempotency, ids, plan, queries
from myapp.ledger.holding import locking
from myapp.ledger.holding.locking import Hold
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import BATCH_MAX, Effect, EventType, Ledger, Status
from myapp.ledger.recording import moving, steps
from myapp.ledger.recording.request import Entry, Request

# How many expired holds are given back at a time; nobody waits long for the balances that these lock.
EXPIRED_PORTION = 100
EVENTS = {Status.VOIDED: EventType.TRANSACTION_VOIDED, Status.EXPIRED: EventType.TRANSACTION_EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A hold that was given back: `state` says whether it was voided or had expired, `effective_at` when it counts."""

    hold_id: UUID
    state: Status
    effective_at: datetime


def void(
    session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime, claim: Claim | None
) -> Sequence[UUID] | None:
    """Void holds, all or none, and return the records of it; None where the claim's key is in use.

    What was posted of a hold before stays posted. It counts from now, or from when the hold counts if that is later.
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
        state_of=lambda _hold: Status.VOIDED,
        counts_at=lambda hold: max(now, hold.effective_at),
        now=now,
    )
    return record_ids


def expire(session: Session, ledger: Ledger, *, now: datetime, limit: int) -> int:
    """Give back what holds reserve that have expired, and return how many; at most `limit`, the first to expire first.

    It counts from when the hold expired, or from when the hold counts, or from the start of the open period, whichever
    is the latest. What another is giving back is left to it.
    Raises:
        Conflict: the period was closed in this moment.
    """
    return _expire(session, ledger, locking.lock_expired(session, ledger, now=now, limit=limit, paths=None), now=now)


def free_expired(session: Session, ledger: Ledger, *, now: datetime, paths: Collection[str]) -> int:
    """Give back a portion of what expired holds reserve of these accounts; else as `expire`.

    What another is giving back is waited for, so that none of it is there once no such hold is found.
    """
    held = locking.lock_expired(session, ledger, now=now, limit=EXPIRED_PORTION, paths=paths)
    return _expire(session, ledger, held, now=now)


def _expire(session: Session, ledger: Ledger, holds: Mapping[UUID, Hold], *, now: datetime) -> int:
    held = list(holds.values())
    if not held:
        return 0
    locked_before = queries.get_ledger(session, ledger.name).locked_before

    def counts_at(hold: Hold) -> datetime:
        counted_at = max(hold.expires_at or now, hold.effective_at)
        return counted_at if locked_before is None else max(counted_at, locked_before)

    record_ids = ids.new_ids(now, len(held))
    try:
        _release(session, ledger, held, record_ids, state_of=lambda _hold: Status.EXPIRED, counts_at=counts_at, now=now)
    except errors.PeriodLocked as refusal:
        raise Conflict("The period is being closed.") from refusal
    return len(held)


def give_back(session: Session, ledger: Ledger, wanted: Sequence[Release], *, now: datetime) -> Sequence[UUID]:
    """Give holds back as they were before, all or none, and return the records of it.

    Raises:
        UnknownHold, NotPending: one of them is not there, or is no hold that is pending, or was given back earlier in
            the request, or is to have expired and has not.
    """
    held = locking.lock(session, ledger, [each.hold_id for each in wanted], now=now, judges_expiry=False)
    of: dict[UUID, Release] = {}
    for index, each in enumerate(wanted):
        if each.hold_id in of:
            raise errors.NotPending(f"The hold {each.hold_id} is given back earlier in the request.", index=index)
        of[each.hold_id] = each
        expires_at = held[each.hold_id].expires_at
        if each.state is Status.EXPIRED and (expires_at is None or expires_at > now):
            raise errors.NotPending(f"The hold {each.hold_id} has not expired.", index=index)
    record_ids = ids.new_ids(now, len(wanted))
    _release(
        session,
        ledger,
        [held[each.hold_id] for each in wanted],
        record_ids,
        state_of=lambda hold: of[hold.id].state,
        counts_at=lambda hold: of[hold.id].effective_at,
        now=now,
    )
    return record_ids


def _release(
    session: Session,
    ledger: Ledger,
    held: Sequence[Hold],
    record_ids: Iterable[UUID],
    *,
    state_of: Callable[[Hold], Status],
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
        hold.state = state_of(hold)
        entries.append(
            Entry(
                id=record_id,
                effective_at=counts_at(hold),
                description=hold.description,
                status=Status.PENDING,
                pending_of=hold.id,
                event=EVENTS[hold.state],
            )
        )
    request = Request(ledger=ledger, entries=entries, plan=draft.finish(), now=now)
    steps.write(session, request, moving.shift)
    locking.write_back(session, ledger, held)
