"""What both forms are given, and what both give back: a place for each slot of the plan."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from myapp.ledger.idempotency import Claim
from myapp.ledger.model import AccountType, EventType, Ledger, NewTransaction, Status
from myapp.ledger.plan import Line, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is written of one transaction beside its lines; `event` is what followers are told it was."""

    id: UUID
    effective_at: datetime
    reference: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.POSTED
    pending_of: UUID | None = None
    reverses: UUID | None = None
    expires_at: datetime | None = None
    event: EventType = EventType.TRANSACTION_POSTED


@dataclass(frozen=True)
class Request:
    """A request whose plan stands; `first_used` are the exponents to remember."""

    ledger: Ledger
    entries: Sequence[Entry]
    plan: Plan
    now: datetime
    first_used: Mapping[str, int] = field(default_factory=dict)
    claim: Claim | None = None

    @functools.cached_property
    def ids(self) -> Sequence[UUID]:
        return [entry.id for entry in self.entries]

    @functools.cached_property
    def effective_first(self) -> datetime:
        return min(entry.effective_at for entry in self.entries)

    @property
    def is_late(self) -> bool:
        """Whether something in it counts from a time that is past. See Note [Closing a period] in periods.py."""
        return self.effective_first < self.now


class Key(NamedTuple):
    """What a balance is found by, in the order of Note [Lock order]."""

    account_id: UUID
    currency: str


class Balance(NamedTuple):
    """One balance row after the request, locked by it."""

    account_id: UUID
    currency: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    version: int
    net_min: int | None
    net_max: int | None
    closed: bool


class Place(NamedTuple):
    """Where a slot's postings go: its account, and the balance after the request."""

    account_type: AccountType
    balance: Balance


class After(NamedTuple):
    """What one line leaves behind."""

    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    version: int


def after(request: Request, line: Line, balance: Balance) -> After:
    """Return what the balance was right after one line, from what it is after the whole request."""
    whole, so_far = request.plan.slots[line.slot].total, line.total
    return After(
        balance.debits_posted - whole.debits + so_far.debits,
        balance.credits_posted - whole.credits + so_far.credits,
        balance.debits_pending - whole.debits_pending + so_far.debits_pending,
        balance.credits_pending - whole.credits_pending + so_far.credits_pending,
        balance.version - whole.lines + so_far.lines,
    )


def entry(wanted: NewTransaction, *, id: UUID, now: datetime) -> Entry:  # noqa: A002
    """Return what is written of a transaction that a caller wants recorded."""
    return Entry(
        id=id,
        effective_at=wanted.effective_at or now,
        reference=wanted.reference,
        description=wanted.description,
        metadata=wanted.metadata,
        status=Status.PENDING if wanted.pending else Status.POSTED,
        expires_at=wanted.expires_at,
        event=EventType.TRANSACTION_PENDING if wanted.pending else EventType.TRANSACTION_POSTED,
    )
