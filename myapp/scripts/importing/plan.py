"""What a journal asks of a ledger, as pure values.

Amounts are exact Decimals in the currency's own unit. A journal's dates are the first instants of their days in UTC.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from myapp import errors
from myapp.ledger import model

TRADING_PREFIX = "equity:trading:"

# Wide enough for any number a journal may write, so that no sum is rounded in passing.
EXACT = decimal.Context(prec=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the journal something is written; line 0 is the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something about one place in the journal that its author should know."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class JournalError(errors.MyappError):
    """The journal cannot be loaded; each problem says where and why."""

    code = "journal"

    def __init__(self, problems: Sequence[Note]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCurrency:
    """A currency with the digits that the journal's amounts in it need, and where the longest of them is."""

    currency: model.Currency
    place: Place
    # Whether the journal declares it, also where everybody knows it or nothing is in it.
    is_declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAccount:
    place: Place
    account: model.NewAccount
    closes: bool = False
    # Set once everything is recorded, since a ledger may have had others before.
    limits: Mapping[str, model.NewLimits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTransaction:
    place: Place
    wanted: model.NewTransaction
    effective_at: datetime

    @property
    def reference(self) -> str:
        return self.wanted.reference or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPrice:
    place: Place
    wanted: model.NewPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One balance directive: what the account and all below it hold at the beginning of `date`."""

    place: Place
    path: str
    currency: str
    date: date
    expected: Decimal
    tolerance: Decimal
    fails_in_journal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of a journal that a ledger can hold.

    Shape: transactions in the order of their dates; `left_out` counts, by kind, what a ledger has no place for.
    """

    currencies: Sequence[PlannedCurrency]
    accounts: Sequence[PlannedAccount]
    transactions: Sequence[PlannedTransaction]
    assertions: Sequence[Assertion]
    notes: Sequence[Note]
    left_out: Mapping[str, int]
    prices: Sequence[PlannedPrice] = ()
    # How the references begin that are made of what a transaction says.
    reference_prefix: str = "beancount:"
