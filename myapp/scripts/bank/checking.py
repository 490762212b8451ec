"""Compare what the bank says an account held with what the books say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from myapp.scripts.bank.statements import Balance, Statement

ONE_DAY = timedelta(days=1)

# What the books have of a currency before a day.
Held = Callable[[str, date], Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One balance of a statement, and what the books have at the same moment."""

    name: str
    stated: Balance
    held: Decimal

    @property
    def difference(self) -> Decimal:
        return self.held - self.stated.amount


def check(statements: Sequence[Statement], held: Held) -> Sequence[Check]:
    """Return the balances that the statements give, each with that of the books."""
    checks = []
    for each in statements:
        if each.opening is not None:
            # The day of an opening balance is the bank's last working day with some banks; the first line's is certain.
            first = min((entry.line.booked_on for entry in each.entries), default=each.opening.day)
            checks.append(Check(name="opening", stated=each.opening, held=held(each.opening.currency, first)))
        if each.closing is not None:
            end = each.closing.day + ONE_DAY
            checks.append(Check(name="closing", stated=each.closing, held=held(each.closing.currency, end)))
    return checks
