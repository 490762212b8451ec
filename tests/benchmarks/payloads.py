"""What the sides are asked to do: the same requests in the same order for each."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from tests.benchmarks.load.order import Call
from tests.benchmarks.peers import books

SEED = 5
# So many different requests, which the generator sends around and around.
COUNT = 5000
CENTS_MAX = 100_00


def transfers() -> Sequence[Call]:
    """Return requests that move an amount between two accounts, all accounts alike."""
    chance = random.Random(SEED)
    return [_transfer(chance, number) for number in range(COUNT)]


def balances() -> Sequence[Call]:
    """Return requests for the balance of an account, all accounts alike."""
    chance = random.Random(SEED)
    paths = books.paths()
    return [Call(path=f"{_ledger()}/accounts/{chance.choice(paths)}/balance") for _ in range(COUNT)]


def _transfer(chance: random.Random, number: int) -> Call:
    debited, credited = chance.sample(range(1, books.account_count() + 1), 2)
    cents = chance.randint(1, CENTS_MAX)
    amount = f"{cents // 100}.{cents % 100:02}"
    body = {
        "description": f"Transfer {number}",
        "postings": [
            {"account": books.path(debited), "debit": amount, "currency": books.CURRENCY},
            {"account": books.path(credited), "credit": amount, "currency": books.CURRENCY},
        ],
    }
    return Call(path=f"{_ledger()}/transactions", body=json.dumps(body), transactions=1)


def _ledger() -> str:
    return f"/v1/ledgers/{books.LEDGER}"
