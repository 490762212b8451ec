"""The words of bank statements as values: pure, immutable, without a database.

A line's `side` is that of the bank account in our books: debit is money that came in, credit is money that went out.
Units: `amount` is an exact Decimal above zero in the currency's own unit, `amount_minor` an integer in its smallest.
The words are defined in docs/bank.md.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from myapp.ledger.model import Side

DAYS = 5
DAYS_MAX = 366
# Longer lists help nobody to choose.
PROPOSALS_MAX = 10


class State(enum.StrEnum):
    """What became of a line so far."""

    OPEN = "open"
    PROPOSED = "proposed"
    MATCHED = "matched"


class How(enum.StrEnum):
    """Who matched a line."""

    # The reference and the amount are the same.
    RULE = "rule"
    # Somebody accepted it.
    ACCEPTED = "accepted"
    # Somebody recorded what was missing.
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """One line of a statement as the bank wrote it.

    `bank_id` is the bank's own name for it, which careless banks give twice. `statement` counts the statements of the
    file: equal lines of one are several, equal lines of two are the same line.
    """

    booked_on: date
    side: Side
    amount: Decimal
    currency: str
    details: Mapping[str, str] = field(default_factory=dict)
    bank_id: str | None = None
    statement: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did, by the places of its lines."""

    recorded: Sequence[int]
    known: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The posting a line is matched with."""

    transaction_id: UUID
    posting_line: int
    how: How
    matched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A posting that a line may mean; `score` is 0 to 100, `reasons` say why."""

    transaction_id: UUID
    posting_line: int
    score: int
    reasons: Sequence[str]
    reference: str | None
    description: str | None
    effective_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line as it is kept; `transaction_id` is what its import recorded, None without a clearing account."""

    id: UUID
    account: str
    against: str
    booked_on: date
    side: Side
    currency: str
    amount_minor: int
    state: State
    details: Mapping[str, str]
    transaction_id: UUID | None
    match: Match | None
    proposals: Sequence[Proposal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many lines are in a state, and what came in and went out by them."""

    state: State
    currency: str
    lines: int
    in_minor: int
    out_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run of matching did: how many lines it matched, and in what state it leaves the others."""

    matched: int
    proposed: int
    open: int
    reopened: int
