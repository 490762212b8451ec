"""What both forms are given, and what both give back: a place for each slot of the plan."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from myapp.ledger.idempotency import Claim
from myapp.ledger.model import AccountType, Ledger, NewTransaction
from myapp.ledger.plan import Line, Plan


@dataclass(frozen=True)
class Request:
    """A request whose plan stands; `ids` are those of its transactions, `first_used` the exponents to remember."""

    ledger: Ledger
    wanted: Sequence[NewTransaction]
    ids: Sequence[UUID]
    plan: Plan
    first_used: Mapping[str, int]
    claim: Claim | None
    now: datetime

    @functools.cached_property
    def effective(self) -> Sequence[datetime]:
        """When each transaction counts."""
        return [transaction.effective_at or self.now for transaction in self.wanted]


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
    version: int


def after(request: Request, line: Line, balance: Balance) -> After:
    """Return what the balance was right after one line, from what it is after the whole request."""
    slot = request.plan.slots[line.slot]
    return After(
        balance.debits_posted - slot.debits + line.debits,
        balance.credits_posted - slot.credits + line.credits,
        balance.version - slot.count + line.nth,
    )
