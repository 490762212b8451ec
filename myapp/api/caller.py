"""Who sends a request, as far as the rest of the room needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from myapp.ledger import access


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent the request; without a ledger, all ledgers are meant."""

    id: str
    scope: access.Scope
    ledger_id: UUID | None


LOCAL = Caller(id="loopback", scope=access.Scope.ADMIN, ledger_id=None)
