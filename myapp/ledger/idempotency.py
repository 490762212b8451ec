"""Idempotency keys: written in the same unit of work as the effect, so a key and its effect exist both or neither.

A key belongs to a scope: a ledger, or NO_LEDGER where one is being made. Of two requests with the same key the second
waits until the first has ended, and then either finds its answer or, if the first failed, owns the key. The answer is
the ids of recorded transactions, which never change and are read again, or the very bytes of another answer.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from myapp.db import errors as db_errors
from myapp.ledger import errors, upsert
from myapp.ledger.columns import AnyRow
from myapp.ledger.tables import idempotency

NO_LEDGER = UUID(int=0)
ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Claim:
    """A key as a request carries it; one claimed before `expired_before` counts as unused."""

    key: str
    request_hash: bytes
    expired_before: datetime


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    body: bytes


def take(session: Session, scope_id: UUID, claim: Claim, *, now: datetime) -> StoredAnswer | None:
    """Take the key for this request, or return the answer of the request that had it.

    Waits for a request in flight with the same key. After None, `remember` the answer in the same unit of work.
    Raises:
        IdempotencyMismatch: it was another request.
        IdempotencyInProgress: it has not ended within the lock time-out.
    """
    if take_for_transactions(session, scope_id, claim, [], now=now):
        return None
    row = _read_used(session, scope_id, claim)
    return StoredAnswer(status=row.status, body=row.body)


def remember(session: Session, scope_id: UUID, key: str, answer: StoredAnswer) -> None:
    """Keep the answer for repeats of the request."""
    update = sa.update(idempotency).where(idempotency.c.ledger_id == scope_id, idempotency.c.key == key)
    session.execute(update.values(status=answer.status, body=answer.body))


def purge(session: Session, *, expired_before: datetime) -> int:
    """Delete the keys of every scope that were claimed before a time, and return how many there were."""
    expired = sa.delete(idempotency).where(idempotency.c.created_at < expired_before)
    return session.connection().execute(expired).rowcount


def take_for_transactions(
    session: Session, scope_id: UUID, claim: Claim, transaction_ids: Sequence[UUID], *, now: datetime
) -> bool:
    """Take the key for the transactions that this request is about to record; say whether it was free."""
    try:
        return (
            session.scalar(_take(upsert.dialect_of(session)), _row(scope_id, claim, transaction_ids, now)) is not None
        )
    except sa_exc.OperationalError as exc:
        if is_wait_for_key(exc):
            raise in_progress(claim) from exc
        raise


def read_transactions(session: Session, scope_id: UUID, claim: Claim) -> Sequence[UUID]:
    """Return the transactions that the request with this used key recorded.

    Raises:
        IdempotencyMismatch: it was another request.
    """
    return _unpack(_read_used(session, scope_id, claim).transaction_ids)


def pack(transaction_ids: Sequence[UUID]) -> bytes:
    return b"".join(transaction_id.bytes for transaction_id in transaction_ids)


def is_wait_for_key(exc: sa_exc.DBAPIError) -> bool:
    """Say whether a lock time-out ended a wait for a key, not for a balance.

    The server names the relation in no field of the error but its context.
    """
    diagnostics = getattr(exc.orig, "diag", None)
    context = getattr(diagnostics, "context", None) or ""
    return db_errors.sqlstate(exc) == db_errors.LOCK_NOT_AVAILABLE and idempotency.name in context


def in_progress(claim: Claim) -> errors.IdempotencyInProgress:
    return errors.IdempotencyInProgress(f"The first request with the key {claim.key!r} has not ended yet.")


@functools.cache
def _take(dialect: str) -> ReturningInsert[str]:
    insert = upsert.insert(dialect, idempotency).values(status=None, body=None)
    renewed = ("request_hash", "created_at", "transaction_ids", "status", "body")
    is_expired = idempotency.c.created_at < sa.bindparam("expired_before")
    return insert.on_conflict_do_update(
        index_elements=["ledger_id", "key"], set_={name: insert.excluded[name] for name in renewed}, where=is_expired
    ).returning(idempotency.c.key)


def _row(scope_id: UUID, claim: Claim, transaction_ids: Sequence[UUID], now: datetime) -> Mapping[str, object]:
    return {
        "ledger_id": scope_id,
        "key": claim.key,
        "request_hash": claim.request_hash,
        "created_at": now,
        "transaction_ids": pack(transaction_ids) or None,
        "expired_before": claim.expired_before,
    }


def _read_used(session: Session, scope_id: UUID, claim: Claim) -> AnyRow:
    query = sa.select(
        idempotency.c.request_hash, idempotency.c.transaction_ids, idempotency.c.status, idempotency.c.body
    ).where(idempotency.c.ledger_id == scope_id, idempotency.c.key == claim.key)
    row = session.execute(query).one()
    if row.request_hash != claim.request_hash:
        raise errors.IdempotencyMismatch(f"The key {claim.key!r} was used before with another request.")
    if row.transaction_ids is None and row.status is None:
        raise in_progress(claim)
    return row


def _unpack(packed: bytes) -> Sequence[UUID]:
    return [UUID(bytes=packed[start : start + ID_BYTES]) for start in range(0, len(packed), ID_BYTES)]
