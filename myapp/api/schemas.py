"""What a request's body or query may hold, and what an answer holds: the types that validate, encode and document.

An input refuses what it does not know. Amounts are strings here; nothing in this file is a float.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from myapp.api.fields import (
    AccountPath,
    AmountText,
    At,
    BoundText,
    CurrencyCode,
    Cursor,
    Description,
    Exponent,
    Instant,
    KnownAt,
    LedgerName,
    Limit,
    Metadata,
    Moment,
    Money,
    PathPrefix,
    Reference,
)
from myapp.ledger import model

PAGE_SIZE = 50
# What every JSON parser reads exactly.
VERSION_MAX = 2**53 - 1

ItemT = TypeVar("ItemT")


# Left-out defaults keep a body's hash the same when a later version learns another optional member.
class Input(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Something a client sends."""


class Optional(Input):
    """Something a client may leave out altogether: nothing in it has to be said."""


class Nothing(Optional):
    """Nothing to say."""


class Output(Struct):
    """Something the service answers."""


class NewLedger(Input, kw_only=True):
    name: LedgerName
    metadata: Metadata = {}


class NewCurrency(Input, kw_only=True):
    exponent: Exponent


class NewLimits(Input, kw_only=True):
    """The least and the most the account's balance may be; what is left out is not limited."""

    min: BoundText | None = None
    max: BoundText | None = None


class NewAccount(Input, kw_only=True):
    path: AccountPath
    type: Annotated[model.AccountType, Meta(examples=["asset"])]
    currencies: (
        Annotated[
            list[CurrencyCode],
            Meta(
                min_length=1,
                description="The only currencies it may hold, each once; any, when left out.",
                extra_json_schema={"uniqueItems": True},
            ),
        ]
        | None
    ) = None
    limits: Annotated[dict[CurrencyCode, NewLimits], Meta(examples=[{"USD": {"min": "0.00"}}])] = {}
    metadata: Metadata = {}


class AccountChange(Input, kw_only=True):
    """What to change; what is left out stays as it is."""

    limits: (
        Annotated[
            dict[CurrencyCode, NewLimits | None],
            Meta(
                description="New limits for the currencies named here; null removes a currency's limits.",
                examples=[{"USD": {"min": "-50.00"}}],
            ),
        ]
        | UnsetType
    ) = UNSET
    metadata: Metadata | UnsetType = UNSET
    closed: bool | UnsetType = UNSET


class Condition(Input, kw_only=True):
    """What must be so of the account, in the posting's currency, just before the transaction."""

    version: (
        Annotated[int, Meta(ge=0, le=VERSION_MAX, description="The `version` of its balance, as an answer showed it.")]
        | None
    ) = None
    min_available: BoundText | None = None


class HeldPosting(Input, kw_only=True):
    """One line: exactly one of `debit` and `credit`."""

    account: AccountPath
    currency: CurrencyCode
    debit: AmountText | UnsetType = UNSET
    credit: AmountText | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.debit is UNSET) == (self.credit is UNSET):
            raise ValueError("Expected exactly one of `debit` and `credit`")


class NewPosting(HeldPosting, kw_only=True, rename={"if_": "if"}):
    """One line: exactly one of `debit` and `credit`."""

    if_: Annotated[Condition | None, Meta(description="A condition, checked under the lock.")] = None


# What the check in HeldPosting means, for the published document.
ONE_SIDE = Meta(extra_json_schema={"oneOf": [{"required": ["debit"]}, {"required": ["credit"]}]})
OneSide = Annotated[NewPosting, ONE_SIDE]

Postings = Annotated[
    list[OneSide],
    Meta(
        min_length=2,
        max_length=model.POSTINGS_MAX,
        examples=[
            [
                {"account": "assets:cash", "debit": "12.50", "currency": "USD"},
                {"account": "income:sales", "credit": "12.50", "currency": "USD"},
            ]
        ],
    ),
]


class NewTransaction(Input, kw_only=True):
    postings: Postings
    reference: Reference | None = None
    description: Description | None = None
    effective_at: Annotated[Instant | None, Meta(description="When it counts in the books; now, when left out.")] = None
    metadata: Metadata = {}
    pending: Annotated[bool, Meta(description="Whether it is a hold, which reserves until it is posted.")] = False
    expires_at: Annotated[Instant | None, Meta(description="When the hold gives back what it reserves.")] = None


class NewBatch(Input, kw_only=True):
    transactions: Annotated[list[NewTransaction], Meta(min_length=1, max_length=model.BATCH_MAX)]


class NoQuery(Input, kw_only=True):
    """No parameters."""


class Page(Input, kw_only=True):
    limit: Limit = PAGE_SIZE
    after: Cursor | None = None


class AccountsQuery(Page, kw_only=True):
    prefix: PathPrefix | None = None
    type: Annotated[model.AccountType | None, Meta(description="Accounts of this type.")] = None
    at: At = None
    known_at: KnownAt = None


class PeriodQuery(Page, kw_only=True, rename={"from_": "from"}):
    from_: Annotated[Instant | None, Meta(description="The first effective time to list.")] = None
    to: Annotated[Instant | None, Meta(description="The effective time to stop before.")] = None


class StatementQuery(PeriodQuery, kw_only=True):
    known_at: KnownAt = None


class RecordQuery(Input, kw_only=True):
    dry_run: Annotated[bool, Meta(description="Validate and answer as if, and record nothing.")] = False


class LedgerChange(Input, kw_only=True):
    """What to change; what is left out stays as it is."""

    metadata: Metadata | UnsetType = UNSET
    locked_before: (
        Annotated[Instant | None, Meta(description="The start of the open period; null opens all that was closed.")]
        | UnsetType
    ) = UNSET


class Ledger(Output, kw_only=True):
    name: LedgerName
    metadata: Metadata
    locked_before: Annotated[Moment | None, Meta(description="No effective time before this one is accepted.")]
    created_at: Moment


class Currency(Output, kw_only=True):
    code: CurrencyCode
    exponent: Exponent


class Limits(Output, kw_only=True, omit_defaults=True):
    min: Money | UnsetType = UNSET
    max: Money | UnsetType = UNSET


class Balance(Output, kw_only=True):
    """What is posted and what is pending; `balance` and `available` in the account's normal direction."""

    debits: Money
    credits: Money
    balance: Money
    pending_debits: Money
    pending_credits: Money
    available: Money


EXAMPLE_BALANCE = {
    "debits": "100.00",
    "credits": "40.00",
    "balance": "60.00",
    "pending_debits": "0.00",
    "pending_credits": "5.00",
    "available": "55.00",
}


class Account(Output, kw_only=True):
    path: AccountPath
    type: Annotated[model.AccountType, Meta(examples=["asset"])]
    closed: Annotated[bool, Meta(examples=[False])]
    currencies: Annotated[list[CurrencyCode] | None, Meta(examples=[None])]
    limits: Annotated[dict[CurrencyCode, Limits], Meta(examples=[{"USD": {"min": "0.00"}}])]
    metadata: Metadata
    balances: Annotated[dict[CurrencyCode, Balance], Meta(examples=[{"USD": EXAMPLE_BALANCE}])]
    versions: Annotated[
        dict[CurrencyCode, int],
        Meta(description="The number of postings so far, for a posting's `if`.", examples=[{"USD": 7}]),
    ]


class Posting(Output, kw_only=True):
    """One line, with the balance and what was available of its account right after it, and the balance's version.

    `remaining` is what is left of a hold's line.
    """

    account: AccountPath
    currency: CurrencyCode
    debit: Money | UnsetType = UNSET
    credit: Money | UnsetType = UNSET
    balance: Money
    available: Money
    version: Annotated[int, Meta(description="The number of postings so far, for `if`.", examples=[7])]
    remaining: Money | UnsetType = UNSET


class Transaction(Output, kw_only=True):
    id: UUID
    status: Annotated[model.Status, Meta(examples=["posted"])]
    reference: Reference | None
    description: Description | None
    effective_at: Moment
    recorded_at: Moment
    expires_at: Moment | None
    pending_of: Annotated[UUID | None, Meta(description="The hold that it posts.")]
    posted_by: Annotated[list[UUID], Meta(description="The transactions that have posted this hold.", examples=[[]])]
    reverses: Annotated[UUID | None, Meta(description="The transaction that it reverses.")]
    reversed_by: Annotated[UUID | None, Meta(description="The transaction that reverses it.")]
    metadata: Metadata
    postings: list[Posting]
    released: (
        Annotated[list[Posting], Meta(description="What a final post gives back of its hold.", min_length=1)]
        | UnsetType
    ) = UNSET


class BatchItem(Output, kw_only=True):
    id: UUID
    reference: Reference | None


class BatchIds(Output, kw_only=True):
    items: list[BatchItem]


class BatchTransactions(Output, kw_only=True):
    items: list[Transaction]


class StatementTransaction(Output, kw_only=True):
    id: UUID
    reference: Reference | None
    description: Description | None
    effective_at: Moment
    recorded_at: Moment


class StatementLine(Output, kw_only=True):
    """One posting of the account; `balance` is the running balance in effective order."""

    transaction: StatementTransaction
    line: int
    currency: CurrencyCode
    debit: Money | UnsetType = UNSET
    credit: Money | UnsetType = UNSET
    balance: Money


class Listed(Output, Generic[ItemT], kw_only=True):
    """One page; `next` is the cursor of the page after it, null on the last."""

    items: list[ItemT]
    next: Cursor | None


class Check(Output, kw_only=True):
    name: Annotated[str, Meta(examples=["transactions-balance"])]
    holds: bool
    compared: Annotated[
        dict[str, int], Meta(description="The figures that were compared.", examples=[{"transactions": 2}])
    ]
    violations: Annotated[list[str], Meta(description="What breaks it.", examples=[[]])]


class Verification(Output, kw_only=True):
    holds: bool
    checks: list[Check]


class Health(Output, kw_only=True):
    status: Literal["ok"]
