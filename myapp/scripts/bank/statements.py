"""What is in a bank's file, as pure values.

Amounts are exact Decimals in the currency's own unit; a balance is above zero where the bank owes it to us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from myapp import errors
from myapp.ledger import bank


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong at a line of the file; line 0 is the file as a whole."""

    line: int
    text: str


class StatementError(errors.MyappError):
    """The file cannot be taken over; each problem says where and why."""

    code = "statement"

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        listed = (f"{file}:{each.line}: {each.text}" if each.line else f"{file}: {each.text}" for each in problems)
        super().__init__("\n".join(listed))
        self.problems = tuple(problems)


class Malformed(ValueError):
    """A part of the file is not what it should be; the reader of the file says where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a statement, and the line of the file it begins at."""

    place: int
    line: bank.NewLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the bank says the account held: at the beginning of a day, or at its end."""

    day: date
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of one account; `number` is the bank's own name for the account."""

    number: str | None
    entries: Sequence[Entry]
    opening: Balance | None = None
    closing: Balance | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
