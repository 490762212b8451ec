"""What a report may be asked for, and what it answers: the types that validate, encode and document."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from myapp.api.fields import (
    JSON_OR_CSV,
    AccountPath,
    CurrencyCode,
    Cursor,
    Instant,
    KnownAt,
    Limit,
    Moment,
    Money,
    PriceText,
    Until,
)
from myapp.api.schemas import Input, Output, Page, StatementLine
from myapp.ledger import model

# A path of 250 characters has no more names.
DEPTH_MAX = 125
PRICES_MAX = 50
LINES_MAX = 1000

Format = Annotated[
    str,
    Meta(
        pattern=JSON_OR_CSV,
        description="json or csv; without it the header Accept decides, for JSON if it does not mind.",
        examples=["json"],
    ),
]


Depth = Annotated[
    int, Meta(ge=1, le=DEPTH_MAX, description="Show so many levels; what is deeper counts in the last of them.")
]
Prices = Annotated[dict[CurrencyCode, PriceText], Meta(max_length=PRICES_MAX)]


From = Annotated[Instant | None, Meta(description="The first effective time; the very first, when left out.")]
To = Annotated[Instant | None, Meta(description="The effective time to stop before; now, when left out.")]


class ReportQuery(Input, kw_only=True):
    known_at: KnownAt = None
    value: Annotated[CurrencyCode | None, Meta(description="Value everything in this currency.")] = None
    price: Prices = field(default_factory=dict)
    depth: Depth = DEPTH_MAX
    zero: Annotated[bool, Meta(description="Show accounts of zero too.")] = False
    format: Format | None = None


class BalancesQuery(ReportQuery, kw_only=True):
    at: Annotated[Until | None, Meta(description="The effective time up to which it counts; now, when left out.")] = (
        None
    )


class PeriodQuery(ReportQuery, kw_only=True, rename={"from_": "from"}):
    from_: From = None
    to: To = None


class AccountStatementQuery(Page, kw_only=True, rename={"from_": "from"}):
    account: AccountPath
    from_: From = None
    to: To = None
    known_at: KnownAt = None
    limit: Limit = LINES_MAX
    format: Format | None = None


class Rate(Output, kw_only=True):
    """What one unit of `currency` is worth in `quote`; `effective_at` is null where it was given with the request."""

    currency: CurrencyCode
    quote: CurrencyCode
    price: PriceText
    effective_at: Moment | None


class Valuation(Output, kw_only=True):
    """How the report was valued. A price in the other direction was turned around."""

    currency: CurrencyCode
    prices: list[Rate]


Amounts = Annotated[dict[CurrencyCode, Money], Meta(examples=[{"USD": "12.50"}])]


class Columns(Output, kw_only=True):
    debit: Money
    credit: Money


ColumnAmounts = Annotated[dict[CurrencyCode, Columns], Meta(examples=[{"USD": {"debit": "12.50", "credit": "0.00"}}])]
NodeType = Annotated[
    model.AccountType | None, Meta(description="The account's; null where there is none.", examples=["asset"])
]
NodeName = Annotated[str, Meta(description="The last name of the path.", examples=["cash"])]


class Node(Output, kw_only=True):
    """A path with what is its own, and the total with all below it."""

    path: AccountPath
    name: NodeName
    type: NodeType
    own: Amounts
    total: Amounts
    children: Annotated[list[Node], Meta(examples=[[]])]


class ColumnNode(Output, kw_only=True):
    """A path with what is its own in each column, and the total with all below it."""

    path: AccountPath
    name: NodeName
    type: NodeType
    own: ColumnAmounts
    total: ColumnAmounts
    children: Annotated[list[ColumnNode], Meta(examples=[[]])]


class Section(Output, kw_only=True):
    """The accounts of one type, in its normal direction."""

    accounts: list[Node]
    total: Amounts


class Equity(Output, kw_only=True):
    """What belongs to the owners: the accounts of that type, and what was earned and not yet booked to one."""

    accounts: list[Node]
    earnings: Annotated[
        dict[CurrencyCode, Money],
        Meta(description="All income less all expenses up to then.", examples=[{"USD": "12.50"}]),
    ]
    rounding: Annotated[
        dict[CurrencyCode, Money] | UnsetType,
        Meta(description="What rounding left over, where values are shown.", examples=[{"USD": "0.00"}]),
    ] = UNSET
    total: Amounts


class BalancesReport(Output, kw_only=True):
    at: Moment
    known_at: Moment | None
    value: Valuation | None


class TrialBalance(BalancesReport, kw_only=True):
    accounts: list[ColumnNode]
    rounding: Annotated[
        dict[CurrencyCode, Columns] | UnsetType,
        Meta(
            description="What rounding left over, where values are shown.",
            examples=[{"USD": {"debit": "0.00", "credit": "0.00"}}],
        ),
    ] = UNSET
    totals: Annotated[
        dict[CurrencyCode, Columns],
        Meta(
            description="Of the columns; the two are equal.",
            examples=[{"USD": {"debit": "12.50", "credit": "12.50"}}],
        ),
    ]


class BalanceSheet(BalancesReport, kw_only=True):
    assets: Section
    liabilities: Section
    equity: Equity
    liabilities_and_equity: Annotated[
        dict[CurrencyCode, Money], Meta(description="Equal to the total of the assets.", examples=[{"USD": "12.50"}])
    ]


class IncomeStatement(Output, kw_only=True, rename={"from_": "from"}):
    from_: Moment | None
    to: Moment
    known_at: Moment | None
    value: Valuation | None
    income: Section
    expenses: Section
    net: Annotated[dict[CurrencyCode, Money], Meta(description="Income less expenses.", examples=[{"USD": "12.50"}])]


class Flow(Output, kw_only=True):
    """A currency of the account in the period; `opening` and `closing` in its normal direction."""

    opening: Money
    debits: Money
    credits: Money
    closing: Money


class AccountStatement(Output, kw_only=True, rename={"from_": "from"}):
    """The account's lines in the period, in pages; `balances` are of the whole period on each of them."""

    account: AccountPath
    type: Annotated[model.AccountType, Meta(examples=["asset"])]
    from_: Moment | None
    to: Moment
    known_at: Moment | None
    balances: Annotated[
        dict[CurrencyCode, Flow],
        Meta(examples=[{"USD": {"opening": "0.00", "debits": "12.50", "credits": "0.00", "closing": "12.50"}}]),
    ]
    items: list[StatementLine]
    next: Cursor | None
