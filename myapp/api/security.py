"""Who is calling, and what they may do.

`myapp.auth = keys`: a caller is an API key, sent as `Authorization: Bearer <key>`. `myapp.auth = open`: every caller on
this machine's own loopback address may do everything, and nobody else anything.

A key is looked up again after `myapp.remember_seconds`: for as long one that was revoked may still be let in.

Scopes contain each other: read < write < admin. A key is for one ledger or for all. Reading outside a ledger (the list
of ledgers) is for every key, everything else outside a ledger (making one) for keys of all ledgers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from pyramid.security import Allowed, Denied

from myapp import settings
from myapp.api import errors
from myapp.api.caller import LOCAL, Caller
from myapp.api.remembered import Remembered
from myapp.api.request import AnyRequest
from myapp.ledger import access

READ = access.Scope.READ.value
WRITE = access.Scope.WRITE.value
ADMIN = access.Scope.ADMIN.value

# So many keys are remembered.
KEYS_MAX = 10_000

# As WSGI spells them; with them goes everything that begins with the prefix. Any one of them tells of a proxy.
FORWARDING_PREFIX = "HTTP_X_FORWARDED_"
FORWARDING_HEADERS = frozenset(
    {
        "HTTP_FORWARDED",
        "HTTP_VIA",
        "HTTP_X_REAL_IP",
        "HTTP_X_CLIENT_IP",
        "HTTP_TRUE_CLIENT_IP",
        "HTTP_CF_CONNECTING_IP",
    }
)

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]+)?\Z")


def caller(request: AnyRequest) -> Caller:
    """Return who sent the request.

    Raises:
        Unauthenticated: no key, or none that is valid.
        Forbidden: access is open to this machine, and the request does not come from it.
    """
    application: settings.Application = request.registry["myapp.settings"]
    if application.auth is settings.Auth.OPEN:
        _require_loopback(request)
        return LOCAL
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise errors.Unauthenticated("Send your API key as `Authorization: Bearer <key>`.")
    known: Remembered[bytes, Caller] = request.registry["myapp.keys"]
    found = known.find(access.hash_of(secret.strip()), lambda: _find_caller(request, secret.strip()))
    if found is None:
        raise errors.Unauthenticated("There is no such API key, or it was revoked.")
    return found


def _find_caller(request: AnyRequest, secret: str) -> Caller | None:
    key = access.find_key(request.dbsession, secret)
    return None if key is None else Caller(id=key.id, scope=key.scope, ledger_id=key.ledger_id)


class Policy:
    """Pyramid's security policy: permissions are the scopes, judged against the request's ledger."""

    def identity(self, request: AnyRequest) -> Caller | None:
        """Return the caller, or None if there is no valid one."""
        try:
            return request.caller
        except (errors.Unauthenticated, errors.Forbidden):
            return None

    def authenticated_userid(self, request: AnyRequest) -> str | None:
        """Return the key's id."""
        identity = self.identity(request)
        return None if identity is None else identity.id

    def permits(self, request: AnyRequest, _context: object, permission: str) -> Allowed | Denied:
        """Say whether the caller's scope and ledger cover the permission; the answer says why not."""
        who = request.caller
        if not who.scope.includes(access.Scope(permission)):
            return Denied(f"This needs a key with the scope {permission}; yours has {who.scope}.")
        ledger = getattr(request, "ledger", None)
        if who.ledger_id is None or (ledger is not None and ledger.id == who.ledger_id):
            return Allowed("The key covers this.")
        if ledger is None and permission == READ:
            return Allowed("What is listed is limited to the key's ledger.")
        return Denied("This needs a key for all ledgers." if ledger is None else "The key is for another ledger.")

    def remember(self, _request: AnyRequest, _userid: str) -> list[tuple[str, str]]:
        """Return no headers: a key is sent with each request."""
        return []

    def forget(self, _request: AnyRequest) -> list[tuple[str, str]]:
        """Return no headers: a key is sent with each request."""
        return []


def _require_loopback(request: AnyRequest) -> None:
    """Refuse what does not come straight from this machine.

    The name asked for is checked too: a web page could otherwise reach this service through a name of its own that it
    lets point to the loopback address.
    """
    address = request.environ.get("REMOTE_ADDR", "")
    named = _HOST.match(request.environ.get("HTTP_HOST", ""))
    host = named["name"].strip("[]").lower() if named else ""
    if _is_forwarded(request.environ) or not _is_loopback(address) or not (host == "localhost" or _is_loopback(host)):
        raise errors.Forbidden(
            "Access is open to programs on the same machine only (myapp.auth = open). "
            "Use the address 127.0.0.1 or localhost, or set myapp.auth = keys."
        )


def _is_forwarded(environ: Mapping[str, object]) -> bool:
    """Say whether a proxy on this machine passed the request on; the server has to leave its headers in."""
    return any(name in FORWARDING_HEADERS or name.startswith(FORWARDING_PREFIX) for name in environ)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
