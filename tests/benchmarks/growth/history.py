"""What a ledger has seen, told by the number of each batch alone, so that building it can go on wherever it was.

Accounts are used as Zipf found words to be: the second half as often as the first, the third a third as often. Days
follow each other, and each has as many transactions.
"""

from __future__ import annotations

import functools
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tests.benchmarks.peers import books

SEED = 7
FIRST_DAY = date(2023, 1, 1)
# Of a transaction.
LINES = 2
BATCH = 1_000
CENTS_MAX = 100_00
WORDS = 1_000


@dataclass(frozen=True, kw_only=True)
class History:
    """The history of one ledger."""

    accounts: int
    transactions_a_day: int

    def batch(self, number: int) -> str:
        """Return the body that records a batch; numbers begin with zero."""
        chance = random.Random(f"{SEED}-{self.accounts}-{number}")
        first = number * BATCH
        transactions = [self._transaction(chance, self.day(each)) for each in range(first, first + BATCH)]
        return json.dumps({"transactions": transactions})

    def day(self, transaction: int) -> date:
        """Return when a transaction counts from, by its number from zero."""
        return FIRST_DAY + timedelta(days=transaction // self.transactions_a_day)

    def path(self, chance: random.Random) -> str:
        """Return an account as often as it is used."""
        (number,) = chance.choices(range(1, self.accounts + 1), cum_weights=zipf(self.accounts))
        return books.path(number)

    def _transaction(self, chance: random.Random, day: date) -> Mapping[str, object]:
        debited = credited = self.path(chance)
        while credited == debited:
            credited = self.path(chance)
        cents = chance.randint(1, CENTS_MAX)
        amount = f"{cents // 100}.{cents % 100:02}"
        return {
            "description": f"{word(chance)} {word(chance)}",
            "effective_at": day.isoformat(),
            "postings": [
                {"account": debited, "debit": amount, "currency": books.CURRENCY},
                {"account": credited, "credit": amount, "currency": books.CURRENCY},
            ],
        }


def word(chance: random.Random) -> str:
    """Return a word, some of them often."""
    (number,) = chance.choices(range(WORDS), cum_weights=zipf(WORDS))
    return f"word{number}"


@functools.cache
def zipf(count: int) -> Sequence[float]:
    """Return how often the first of so many are used, the first two, and so on."""
    return list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))
