"""The ledger's words as values: pure, immutable, without a database.

Units: `amount` is an exact Decimal in the currency's own unit; `*_minor` is an integer in its smallest unit;
every datetime is aware and in UTC. The words are defined in docs/ledger.md.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

AMOUNT_MINOR_MAX = 2**63 - 1
POSTINGS_MAX = 1_000
BATCH_MAX = 10_000
BATCH_POSTINGS_MAX = 100_000
PRICES_MAX = 1_000


class Side(enum.StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class AccountType(enum.StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"

    @property
    def normal_side(self) -> Side:
        return Side.DEBIT if self in (AccountType.ASSET, AccountType.EXPENSE) else Side.CREDIT


class Status(enum.StrEnum):
    """The state of a transaction as its readers see it; only a hold's ever changes."""

    POSTED = "posted"
    PENDING = "pending"
    VOIDED = "voided"
    EXPIRED = "expired"


class Effect(enum.StrEnum):
    """Which counters of its side a posting moves by its amount."""

    POSTED = "posted"  # adds to what is posted
    PENDING = "pending"  # adds to what is pending: a hold
    TAKEN = "taken"  # moves it from pending to posted: a hold is posted
    RELEASED = "released"  # takes it from what is pending: a hold is voided or expires, or its last part is posted

    @property
    def is_posted(self) -> bool:
        """Whether the amount counts as posted."""
        return self in (Effect.POSTED, Effect.TAKEN)

    @property
    def pending_sign(self) -> int:
        """What the amount means to what is pending: more, less or nothing."""
        if self is Effect.POSTED:
            return 0
        return 1 if self is Effect.PENDING else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What never changes of a ledger, and all that is needed to work in it."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerDetails(Ledger):
    """A ledger as it stands."""

    metadata: Mapping[str, str]
    locked_before: datetime | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChange:
    """What to change of a ledger; without `moves_period`, `locked_before` means nothing."""

    metadata: Mapping[str, str] | None = None
    moves_period: bool = False
    locked_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    code: str
    exponent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a balance in the account's normal direction; None leaves that end open."""

    min_minor: int | None = None
    max_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLimits:
    """Limits as asked for, in the currency's own unit."""

    min: Decimal | None = None
    max: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The four counters of one account in one currency; none is ever negative."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    def balance(self, normal_side: Side) -> int:
        """Return what is posted, in the account's normal direction."""
        net = self.debits_posted - self.credits_posted
        return net if normal_side is Side.DEBIT else -net

    def available(self, normal_side: Side) -> int:
        """Return the balance less what pending postings could still take out of it."""
        going_out = self.credits_pending if normal_side is Side.DEBIT else self.debits_pending
        return self.balance(normal_side) - going_out

    def plus(self, other: Counters) -> Counters:
        return Counters(
            debits_posted=self.debits_posted + other.debits_posted,
            credits_posted=self.credits_posted + other.credits_posted,
            debits_pending=self.debits_pending + other.debits_pending,
            credits_pending=self.credits_pending + other.credits_pending,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    path: str
    type: AccountType
    limits: Mapping[str, NewLimits] = field(default_factory=dict)
    currencies: Sequence[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What to change of an account; None leaves a part as it is.

    `limits` replaces the limits of the currencies it names; a currency mapped to None loses its limits.
    """

    limits: Mapping[str, NewLimits | None] | None = None
    metadata: Mapping[str, str] | None = None
    closed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: UUID
    path: str
    type: AccountType
    currencies: Sequence[str] | None
    limits: Mapping[str, Limits]
    balances: Mapping[str, Counters]
    # By currency, the number of postings so far.
    balance_versions: Mapping[str, int]
    metadata: Mapping[str, str]
    closed_at: datetime | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must be so of an account in the posting's currency just before the transaction; None asks for nothing.

    `version` is the number of postings it has had, `min_available` the least that must be available.
    """

    version: int | None = None
    min_available: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosting:
    """One line to record: `amount` is above zero."""

    account: str
    currency: str
    side: Side
    amount: Decimal
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransaction:
    """A transaction to record; without `effective_at` it counts from when it is recorded.

    One that is pending is a hold; `expires_at` is for holds alone.
    """

    postings: Sequence[NewPosting]
    reference: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPost:
    """What to post of a hold: all that remains, or these postings of it; `final` gives back the rest."""

    hold_id: UUID
    postings: Sequence[NewPosting] | None = None
    final: bool = False
    reference: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReversal:
    """How to undo a transaction by one with its sides swapped; what is None is taken from it, but for the time: now."""

    transaction_id: UUID
    reference: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One recorded line with the counters of its account as they were right after it.

    `remaining_minor` is what is left of a hold's line; None where it belongs to no hold.
    """

    line: int
    account: str
    account_type: AccountType
    currency: str
    side: Side
    amount_minor: int
    counters: Counters
    balance_version: int
    effect: Effect = Effect.POSTED
    remaining_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What happened. `pending_of` is the hold that it posts or gives back, `posted_by` what has posted of this hold."""

    id: UUID
    reference: str | None
    status: Status
    description: str | None
    effective_at: datetime
    recorded_at: datetime
    metadata: Mapping[str, str]
    postings: Sequence[Posting]
    pending_of: UUID | None = None
    posted_by: Sequence[UUID] = ()
    reverses: UUID | None = None
    reversed_by: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One posting of an account with its transaction and the running balance in effective order.

    `balance_minor` is the sum of every posting of the account in that currency up to and including this
    one, ordered by effective time, in the account's normal direction.
    """

    transaction_id: UUID
    reference: str | None
    description: str | None
    effective_at: datetime
    recorded_at: datetime
    line: int
    currency: str
    side: Side
    amount_minor: int
    balance_minor: int
    balance_version: int


class EventType(enum.StrEnum):
    """What happened; the data of a transaction's event is the transaction."""

    LEDGER_CREATED = "ledger.created"
    LEDGER_CHANGED = "ledger.changed"
    CURRENCY_DECLARED = "currency.declared"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_CHANGED = "account.changed"
    TRANSACTION_POSTED = "transaction.posted"
    TRANSACTION_PENDING = "transaction.pending"
    TRANSACTION_VOIDED = "transaction.voided"
    TRANSACTION_EXPIRED = "transaction.expired"
    PRICE_RECORDED = "price.recorded"
    BANK_LINES_IMPORTED = "bank_lines.imported"
    BANK_LINE_IMPORTED = "bank_line.imported"
    BANK_LINE_MATCHED = "bank_line.matched"
    BANK_LINE_UNMATCHED = "bank_line.unmatched"
    BANK_LINE_REJECTED = "bank_line.rejected"
    WEBHOOK_PINGED = "webhook.pinged"
    WEBHOOK_DISABLED = "webhook.disabled"

    @property
    def is_of_transaction(self) -> bool:
        return self.value.startswith("transaction.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a ledger; `seq` numbers its events in the order of their commits, without a gap."""

    seq: int
    id: UUID
    type: EventType
    recorded_at: datetime
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """What one unit of `currency` is worth in units of `quote` from `effective_at` on; zero or above."""

    currency: str
    quote: str
    price: Decimal
    effective_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    id: UUID
    currency: str
    quote: str
    price: Decimal
    effective_at: datetime
    recorded_at: datetime


class WebhookState(enum.StrEnum):
    """Whether events are sent to it."""

    ACTIVE = "active"
    # By whoever may change it.
    PAUSED = "paused"
    # By the service, since it failed for too long.
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """Where to send events; `types` None is all, `after` None those from now on."""

    url: str
    types: Sequence[str] | None = None
    description: str | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where the events of a ledger are sent, in the order of their numbers; `position` is the last that was."""

    id: UUID
    url: str
    types: Sequence[str] | None
    description: str | None
    secret: bytes = field(repr=False)
    previous_secret: bytes | None = field(repr=False)
    previous_until: datetime | None
    state: WebhookState
    position: int
    failures: int
    failing_since: datetime | None
    last_error: str | None
    due_at: datetime
    created_at: datetime
