"""Where in the primary's log a client has been, as an opaque token that any process can read and only we can make.

A write's response carries it in the header `Read-Position`; a request that sends it back is answered from a server that
has come at least as far. A position is a number of bytes, as PostgreSQL counts its write-ahead log.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

HEADER = "Read-Position"

# Further than any replica will come: who has this is answered by the primary.
PRIMARY_ONLY = 2**64 - 1

POSITION_BYTES = 8
SIGNATURE_BYTES = 16
PURPOSE = b"Read-Position:"


def token(position: int, *, secret: str) -> str:
    """Return the token of a position: 32 characters that are safe in a header and in an address."""
    packed = position.to_bytes(POSITION_BYTES, "big")
    return base64.urlsafe_b64encode(packed + _signature(packed, secret)).decode()


def find_position(token: str, *, secret: str) -> int | None:
    """Return the position of a token, or None if it is none of ours."""
    try:
        signed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        return None
    packed, signature = signed[:POSITION_BYTES], signed[POSITION_BYTES:]
    if not hmac.compare_digest(signature, _signature(packed, secret)):
        return None
    return int.from_bytes(packed, "big")


def wanted(request: Request) -> int | None:
    """Return the position that the request's reads must have reached, if it says so.

    A token that cannot be read (cut short, or made with another secret) is answered by the primary, which is never
    behind: to refuse it would make each change of the secret an outage for its clients.
    """
    sent = request.headers.get(HEADER)
    secret = request.registry["db.settings"].token_secret
    if sent is None or secret is None:
        return None
    position = find_position(sent, secret=secret)
    return PRIMARY_ONLY if position is None else position


def telling_tween(handler: Callable[[Request], Response], registry: Registry) -> Callable[[Request], Response]:
    """Tell the client the position of its commit; after anything else, the one it came with."""
    secret = registry["db.settings"].token_secret

    def telling(request: Request) -> Response:
        response = handler(request)
        session = request.__dict__.get("dbsession")
        position = request.db_position if session is None else session.unit.position
        if position is not None:
            response.headers[HEADER] = token(position, secret=secret)
        return response

    return telling


def _signature(packed: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), PURPOSE + packed, "sha256")[:SIGNATURE_BYTES]
