"""What the sides are asked to do: the same requests in the same order for each."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence

from tests.benchmarks.load.order import Call
from tests.benchmarks.peers import books

SEED = 5
# So many different requests, which the generator sends around and around.
COUNT = 5000
# So many different batches at least.
BATCHES_MIN = 4
CENTS_MAX = 100_00
HOT = 1


def transfers(*, hot: bool = False) -> Sequence[Call]:
    """Return requests that move an amount between two accounts, all alike or with the first in each of them."""
    chance = random.Random(SEED)
    bodies = [json.dumps(_body(chance, number, hot=hot)) for number in range(COUNT)]
    return [Call(path=f"{_ledger()}/transactions", body=body, transactions=1) for body in bodies]


def batches(size: int, *, hot: bool = False) -> Sequence[Call]:
    """Return requests that record so many of these at once."""
    chance = random.Random(SEED)
    path = f"{_ledger()}/transactions/batch"
    found = []
    for first in range(0, max(COUNT, BATCHES_MIN * size), size):
        transactions = [_body(chance, number, hot=hot) for number in range(first, first + size)]
        found.append(Call(path=path, body=json.dumps({"transactions": transactions}), transactions=size))
    return found


def balances() -> Sequence[Call]:
    """Return requests for the balance of an account, all accounts alike."""
    return [Call(path=f"{each.path}/balance") for each in accounts()]


def accounts() -> Sequence[Call]:
    """Return requests for an account, all alike."""
    chance = random.Random(SEED)
    paths = books.paths()
    return [Call(path=f"{_ledger()}/accounts/{chance.choice(paths)}") for _ in range(COUNT)]


def _body(chance: random.Random, number: int, *, hot: bool) -> Mapping[str, object]:
    debited, credited = chance.sample(range(1, books.account_count() + 1), 2)
    if hot and HOT not in (debited, credited):
        # On either side, as it comes.
        debited, credited = chance.sample([HOT, credited], 2)
    cents = chance.randint(1, CENTS_MAX)
    amount = f"{cents // 100}.{cents % 100:02}"
    return {
        "description": f"Transfer {number}",
        "postings": [
            {"account": books.path(debited), "debit": amount, "currency": books.CURRENCY},
            {"account": books.path(credited), "credit": amount, "currency": books.CURRENCY},
        ],
    }


def _ledger() -> str:
    return f"/v1/ledgers/{books.LEDGER}"
