"""What may be asked of the events, and what each is answered as: one type of answer for each type of event.

The tag says the type. What a webhook gets is the same, with the ledger's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from myapp.api import fields
from myapp.api.fields import (
    AccountPath,
    CurrencyCode,
    EventSeq,
    Exponent,
    LedgerName,
    Metadata,
    Moment,
    Money,
    PriceText,
)
from myapp.api.schemas import PAGE_SIZE, Input, Limits, Output, Transaction
from myapp.ledger import bank
from myapp.ledger.model import AccountType, EventType

WAIT_SECONDS_MAX = 30


class EventsQuery(Input, kw_only=True):
    after: Annotated[EventSeq, Meta(description="The `seq` to go on after: `next` of the answer before.")] = 0
    limit: fields.Limit = PAGE_SIZE
    types: (
        Annotated[
            str,
            Meta(
                pattern=fields.EVENT_TYPES,
                max_length=1000,
                description="Only these types, with commas between them.",
                examples=["transaction.posted,transaction.voided"],
            ),
        ]
        | None
    ) = None
    wait: Annotated[
        int,
        Meta(
            ge=0,
            le=WAIT_SECONDS_MAX,
            description="The seconds to wait for an event, where there is none yet.",
            examples=[20],
        ),
    ] = 0


class LedgerState(Output, kw_only=True):
    name: LedgerName
    metadata: Metadata
    version: int
    locked_before: Moment | None = None


class CurrencyState(Output, kw_only=True):
    code: CurrencyCode
    exponent: Exponent


class AccountState(Output, kw_only=True):
    """The account as the change left it, without its balances."""

    path: AccountPath
    type: Annotated[AccountType, Meta(examples=["asset"])]
    closed: bool
    currencies: list[CurrencyCode] | None
    limits: dict[CurrencyCode, Limits]
    metadata: Metadata
    version: int


class AnyEvent(Output, kw_only=True, tag_field="type"):
    seq: EventSeq
    id: UUID
    recorded_at: Moment


class LedgerCreated(AnyEvent, tag="ledger.created", kw_only=True):
    data: LedgerState


class LedgerChanged(AnyEvent, tag="ledger.changed", kw_only=True):
    data: LedgerState


class CurrencyDeclared(AnyEvent, tag="currency.declared", kw_only=True):
    data: CurrencyState


class AccountOpened(AnyEvent, tag="account.opened", kw_only=True):
    data: AccountState


class AccountChanged(AnyEvent, tag="account.changed", kw_only=True):
    data: AccountState


class TransactionPosted(AnyEvent, tag="transaction.posted", kw_only=True):
    data: Transaction


class TransactionPending(AnyEvent, tag="transaction.pending", kw_only=True):
    data: Transaction


class TransactionVoided(AnyEvent, tag="transaction.voided", kw_only=True):
    data: Transaction


class TransactionExpired(AnyEvent, tag="transaction.expired", kw_only=True):
    data: Transaction


class PriceState(Output, kw_only=True):
    currency: CurrencyCode
    quote: CurrencyCode
    price: PriceText
    effective_at: Moment


class PriceRecorded(AnyEvent, tag="price.recorded", kw_only=True):
    data: PriceState


class ImportedLines(Output, kw_only=True):
    account: AccountPath
    against: Annotated[AccountPath, Meta(description="The account whose postings the lines are matched with.")]
    lines: Annotated[int, Meta(description="How many are new.", examples=[12])]


class ImportedLine(Output, kw_only=True):
    """A line as the bank wrote it: `debit` is what came in, `credit` what went out."""

    line: UUID
    account: AccountPath
    against: Annotated[AccountPath, Meta(description="The account whose postings the line is matched with.")]
    booked_on: Annotated[date, Meta(examples=["2026-01-31"])]
    currency: CurrencyCode
    debit: Money | UnsetType = UNSET
    credit: Money | UnsetType = UNSET
    details: Annotated[dict[str, str], Meta(description="What the bank says.", examples=[{"text": "Invoice INV-7"}])]
    transaction: Annotated[UUID | None, Meta(description="What the import recorded; null without a clearing account.")]


class BankMatch(Output, kw_only=True):
    """The bank line, and the posting it is matched with: its transaction, and its line in that."""

    line: UUID
    transaction: UUID
    posting: int
    how: bank.How


class OpenedLine(Output, kw_only=True):
    line: UUID


class RejectedProposals(Output, kw_only=True):
    line: UUID
    transactions: list[UUID]


class BankLinesImported(AnyEvent, tag="bank_lines.imported", kw_only=True):
    data: ImportedLines


class BankLineImported(AnyEvent, tag="bank_line.imported", kw_only=True):
    data: ImportedLine


class BankLineMatched(AnyEvent, tag="bank_line.matched", kw_only=True):
    data: BankMatch


class BankLineUnmatched(AnyEvent, tag="bank_line.unmatched", kw_only=True):
    data: OpenedLine


class BankLineRejected(AnyEvent, tag="bank_line.rejected", kw_only=True):
    data: RejectedProposals


class NamedWebhook(Output, kw_only=True):
    webhook: Annotated[UUID, Meta(description="Its id.")]
    error: Annotated[str | None, Meta(description="What became of the last attempt.")] = None


class WebhookPinged(AnyEvent, tag="webhook.pinged", kw_only=True):
    data: NamedWebhook


class WebhookDisabled(AnyEvent, tag="webhook.disabled", kw_only=True):
    data: NamedWebhook


Event: TypeAlias = (
    LedgerCreated
    | LedgerChanged
    | CurrencyDeclared
    | AccountOpened
    | AccountChanged
    | TransactionPosted
    | TransactionPending
    | TransactionVoided
    | TransactionExpired
    | PriceRecorded
    | BankLinesImported
    | BankLineImported
    | BankLineMatched
    | BankLineUnmatched
    | BankLineRejected
    | WebhookPinged
    | WebhookDisabled
)

OF_TYPE: Mapping[EventType, type[Event]] = {
    EventType.LEDGER_CREATED: LedgerCreated,
    EventType.LEDGER_CHANGED: LedgerChanged,
    EventType.CURRENCY_DECLARED: CurrencyDeclared,
    EventType.ACCOUNT_OPENED: AccountOpened,
    EventType.ACCOUNT_CHANGED: AccountChanged,
    EventType.TRANSACTION_POSTED: TransactionPosted,
    EventType.TRANSACTION_PENDING: TransactionPending,
    EventType.TRANSACTION_VOIDED: TransactionVoided,
    EventType.TRANSACTION_EXPIRED: TransactionExpired,
    EventType.PRICE_RECORDED: PriceRecorded,
    EventType.BANK_LINES_IMPORTED: BankLinesImported,
    EventType.BANK_LINE_IMPORTED: BankLineImported,
    EventType.BANK_LINE_MATCHED: BankLineMatched,
    EventType.BANK_LINE_UNMATCHED: BankLineUnmatched,
    EventType.BANK_LINE_REJECTED: BankLineRejected,
    EventType.WEBHOOK_PINGED: WebhookPinged,
    EventType.WEBHOOK_DISABLED: WebhookDisabled,
}


class EventPage(Output, kw_only=True):
    """Events in their order; `next` is the `seq` to go on after, also where there is nothing more yet."""

    items: list[Event]
    next: EventSeq
