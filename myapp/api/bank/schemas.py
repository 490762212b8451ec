"""What is asked and answered about bank lines."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from myapp.api.fields import AccountPath, CurrencyCode, Description, Instant, Moment, Money, Reference
from myapp.api.schemas import Input, Output, Page
from myapp.ledger import bank

State = Annotated[bank.State, Meta(examples=["proposed"])]
Day = Annotated[date, Meta(examples=["2026-01-31"])]
Days = Annotated[
    int,
    Meta(
        ge=0,
        le=bank.DAYS_MAX,
        description="How many days a posting may be from the line's day.",
        examples=[bank.DAYS],
    ),
]


class LinesQuery(Page, kw_only=True):
    state: Annotated[bank.State | None, Meta(description="Lines in this state.")] = None


class NewRun(Input, kw_only=True):
    days: Days = bank.DAYS


class Acceptance(Input, kw_only=True):
    """What a line means: its only proposal, when nothing is said, or this transaction."""

    transaction: Annotated[UUID | None, Meta(description="The transaction that is meant, proposed or not.")] = None


class Missing(Input, kw_only=True):
    """What the books lack: a transaction with this as the other account."""

    to: Annotated[AccountPath, Meta(description="The other account.", examples=["income:sales"])]
    effective_at: Annotated[
        Instant | None, Meta(description="When it counts in the books; from the line's day, when left out.")
    ] = None


class Rejection(Input, kw_only=True):
    transaction: Annotated[UUID | None, Meta(description="The only one to reject; all, when left out.")] = None


class Match(Output, kw_only=True):
    """The posting that the line is matched with: the transaction, and its line in it."""

    transaction: UUID
    line: int
    how: Annotated[bank.How, Meta(description="By the rule, by accepting, or by recording what was missing.")]
    matched_at: Moment


class Proposal(Output, kw_only=True):
    """A posting that the line may mean; the score is 0 to 100."""

    transaction: UUID
    line: int
    score: int
    reasons: list[str]
    reference: Reference | None
    description: Description | None
    effective_at: Moment


class BankLine(Output, kw_only=True):
    """A line of a statement, seen from our books: `debit` is what came in, `credit` what went out."""

    id: UUID
    account: AccountPath
    against: Annotated[AccountPath, Meta(description="The account whose postings the line is matched with.")]
    booked_on: Day
    currency: CurrencyCode
    debit: Money | UnsetType = UNSET
    credit: Money | UnsetType = UNSET
    state: State
    details: Annotated[dict[str, str], Meta(description="What the bank says.", examples=[{"text": "Invoice INV-7"}])]
    transaction: Annotated[UUID | None, Meta(description="What the import recorded; null without a clearing account.")]
    match: Match | None
    proposals: list[Proposal]


class Run(Output, kw_only=True):
    """How many lines the run matched, and how it left the others; `reopened` had a match that was reversed since."""

    matched: int
    proposed: int
    open: int
    reopened: int


class Total(Output, kw_only=True):
    state: State
    currency: CurrencyCode
    lines: int
    debits: Money
    credits: Money


class Report(Output, kw_only=True):
    """The lines by state and currency: how many, what came in and what went out."""

    account: AccountPath
    totals: list[Total]
