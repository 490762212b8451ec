"""Compare a journal's balance directives with what a ledger has: pure, and in one pass over the postings.

An assertion is about an account and all below it, in one currency, at the beginning of a day. The trading accounts
are the import's own and count in none.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from myapp.scripts.importing.plan import TRADING_PREFIX, Assertion


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What one account gained on one day in one currency: debits less credits, in the currency's own unit."""

    path: str
    currency: str
    day: date
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An assertion that the ledger does not bear out."""

    assertion: Assertion
    found: Decimal

    def __str__(self) -> str:
        wanted = self.assertion
        off = self.found - wanted.expected
        return (
            f"{wanted.place}: {wanted.path} on {wanted.date}: expected {wanted.expected:f} {wanted.currency}, "
            f"found {self.found:f} ({abs(off):f} too {'much' if off > 0 else 'little'})"
        )


def failures(assertions: Sequence[Assertion], movements: Iterable[Movement]) -> Sequence[Failure]:
    """Return the assertions that do not hold, in their order.

    Shape: `movements` in any order; those of accounts nobody asks about are ignored.
    """
    histories = _histories({(each.path, each.currency) for each in assertions}, movements)
    found = [histories[each.path, each.currency].before(each.date) for each in assertions]
    return [
        Failure(assertion=wanted, found=amount)
        for wanted, amount in zip(assertions, found, strict=True)
        if abs(amount - wanted.expected) > wanted.tolerance
    ]


@dataclass(frozen=True, slots=True)
class _History:
    """The running balance after each day on which something moved."""

    days: Sequence[date]
    balances: Sequence[Decimal]

    def before(self, day: date) -> Decimal:
        index = bisect.bisect_left(self.days, day)
        return self.balances[index - 1] if index else Decimal(0)


def _histories(asked: set[tuple[str, str]], movements: Iterable[Movement]) -> Mapping[tuple[str, str], _History]:
    by_day: dict[tuple[str, str], dict[date, Decimal]] = {key: defaultdict(Decimal) for key in asked}
    for movement in movements:
        if movement.path.startswith(TRADING_PREFIX):
            continue
        for path in _self_and_above(movement.path):
            if (days := by_day.get((path, movement.currency))) is not None:
                days[movement.day] += movement.net
    return {key: _history(days) for key, days in by_day.items()}


def _history(by_day: Mapping[date, Decimal]) -> _History:
    days = sorted(by_day)
    return _History(days, list(itertools.accumulate(by_day[day] for day in days)))


def _self_and_above(path: str) -> Iterable[str]:
    while path:
        yield path
        path = path.rpartition(":")[0]
