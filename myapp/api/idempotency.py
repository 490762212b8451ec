"""The Idempotency-Key: what a key is remembered with, and how a stored answer is given again.

The key is claimed, and its answer stored, in the unit of work that does what was asked: both are there or neither.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import msgspec
from pyramid.response import Response

from myapp import settings
from myapp.api import errors, fields, respond
from myapp.api.request import AnyRequest
from myapp.ledger import idempotency
from myapp.ledger.idempotency import Claim, StoredAnswer

HEADER = "Idempotency-Key"
OK = 200
CREATED = 201

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
# Sorted, so that the order of an object's members makes no difference.
_canonical = msgspec.json.Encoder(enc_hook=fields.encode_custom, order="sorted")


def claim(request: AnyRequest, *, variant: str = "") -> Claim | None:
    """Return what the request's key stands for, None without a key.

    Shape: `variant` names what, besides the body, makes the answer another one.
    Raises:
        BadParameter: the key is empty, too long or not visible ASCII.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.match(key):
        raise errors.BadParameter(f"The header {HEADER} takes 1 to 255 visible ASCII characters without blanks.")
    application: settings.Application = request.registry["myapp.settings"]
    return Claim(
        key=key,
        request_hash=_request_hash(request, variant),
        expired_before=request.now - timedelta(days=application.idempotency_days),
    )


def once(
    request: AnyRequest, scope_id: UUID, make: Callable[[], bytes], *, location: str | Callable[[bytes], str]
) -> Response:
    """Return the answer of `make`, or the one it gave to the first request with the same key.

    Shape: `location` is the address of what was made, or finds it from the answer.
    Raises:
        IdempotencyMismatch, IdempotencyInProgress: the key stands for another request, or the first still runs.
    """
    body, replayed = _once(request, scope_id, make, status=CREATED)
    address = location if isinstance(location, str) else location(body)
    return respond.created(request, body, location=address, replayed=replayed)


def done_once(request: AnyRequest, scope_id: UUID, do: Callable[[], bytes]) -> Response:
    """Return the answer of what is done to something that is there, as `once` does of what is made."""
    body, replayed = _once(request, scope_id, do, status=OK)
    return respond.answer(body, headers=[("Idempotency-Replayed", "true")] if replayed else [])


def _once(request: AnyRequest, scope_id: UUID, make: Callable[[], bytes], *, status: int) -> tuple[bytes, bool]:
    claimed = claim(request)
    if claimed is None:
        return make(), False
    stored = idempotency.take(request.dbsession, scope_id, claimed, now=request.now)
    if stored is not None:
        return stored.body, True
    body = make()
    idempotency.remember(request.dbsession, scope_id, claimed.key, StoredAnswer(status=status, body=body))
    return body, False


def _request_hash(request: AnyRequest, variant: str) -> bytes:
    parts = (request.method.encode(), request.path.encode(), variant.encode(), _canonical.encode(request.wanted))
    return hashlib.sha256(b"\0".join(parts)).digest()
