"""API keys: who may do what, in one ledger or in all.

A secret is 256 random bits, shown once and stored as its SHA-256; with that much chance in it a slow hash adds
nothing. The id names the key to people and is no secret.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.tables import api_keys

# Says what it is where it turns up, to people and to scanners for leaked secrets.
SECRET_PREFIX = "myapp_"  # noqa: S105
SECRET_BYTES = 32
ID_BYTES = 6


class Scope(enum.StrEnum):
    """What a key may do; each scope may do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        return _RISING.index(self) >= _RISING.index(other)


_RISING = tuple(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key; without a ledger it opens all of them."""

    id: str
    scope: Scope
    ledger_id: UUID | None
    name: str | None
    created_at: datetime
    revoked_at: datetime | None


def create_key(
    session: Session, *, name: str | None, scope: Scope, ledger: Ledger | None, now: datetime
) -> tuple[Key, str]:
    """Create a key and return it with its secret, which cannot be had again."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = Key(
        id=secrets.token_hex(ID_BYTES),
        scope=scope,
        ledger_id=None if ledger is None else ledger.id,
        name=name,
        created_at=now,
        revoked_at=None,
    )
    insert = sa.insert(api_keys).values(
        id=key.id,
        secret_hash=hash_of(secret),
        scope=scope.value,
        ledger_id=key.ledger_id,
        name=name,
        created_at=now,
    )
    session.execute(insert)
    return key, secret


def revoke_key(session: Session, key_id: str, *, now: datetime) -> Key:
    """Revoke a key, from the end of this unit of work on; one revoked before keeps its time.

    Raises:
        NotFound: there is no such key.
    """
    revoked_at = sa.func.coalesce(api_keys.c.revoked_at, sa.literal(now, api_keys.c.revoked_at.type))
    update = sa.update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=revoked_at)
    row = session.execute(update.returning(*api_keys.c)).one_or_none()
    if row is None:
        raise errors.NotFound(f"There is no key {key_id}.")
    return _key(row)


def list_keys(session: Session) -> Sequence[Key]:
    """List all keys, also the revoked ones, the oldest first."""
    return [_key(row) for row in session.execute(sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))]


def find_key(session: Session, secret: str) -> Key | None:
    """Return the key with this secret; None where there is none, or it is revoked."""
    query = sa.select(api_keys).where(api_keys.c.secret_hash == hash_of(secret), api_keys.c.revoked_at.is_(None))
    query = query.execution_options(**scope.ALONE)
    row = session.execute(query).one_or_none()
    return None if row is None else _key(row)


def hash_of(secret: str) -> bytes:
    """Return what a secret is stored as, and found by."""
    # A secret comes from outside; a lone surrogate in it is no reason to fail.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _key(row: AnyRow) -> Key:
    return Key(
        id=row.id,
        scope=Scope(row.scope),
        ledger_id=row.ledger_id,
        name=row.name,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
