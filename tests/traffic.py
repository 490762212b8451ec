"""Random money for load tests: a few accounts, one of them hot, some with limits, and requests that come twice.

Amounts are in cents; `Call.moves` says what an accepted request does to the counters.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LEDGER = "/v1/ledgers/traffic"
HOT = "assets:hot"
CURRENCIES = ("USD", "EUR")
# Type and limits in cents of each account; the limits are narrow, so that many requests are refused.
ACCOUNTS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "equity:opening": ("equity", {}),
    HOT: ("asset", {}),
    "assets:purse": ("asset", {"min": 0}),
    "assets:safe": ("asset", {"min": -10_000, "max": 6_000}),
    "liabilities:wallet:anna": ("liability", {"min": 0}),
    "liabilities:wallet:bert": ("liability", {"min": 0, "max": 4_000}),
}
BATCH_SHARE = 0.15
HOT_SHARE = 0.6

Move = tuple[str, str, str, int]
Post = Callable[[str, object, Mapping[str, str]], int]


@dataclass(frozen=True)
class Call:
    """One request to record; `moves` are (account, currency, side, cents)."""

    path: str
    key: str
    body: object
    moves: Sequence[Move]
    transactions: int


def text(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


def open_books(post: Post) -> None:
    """Make the ledger and its accounts."""
    assert post("/v1/ledgers", {"name": "traffic"}, {}) == 201
    for path, (kind, bounds) in ACCOUNTS.items():
        limits = {currency: {end: text(bound) for end, bound in bounds.items()} for currency in CURRENCIES if bounds}
        assert post(f"{LEDGER}/accounts", {"path": path, "type": kind, "limits": limits}, {}) == 201


def calls(seed: int, count: int) -> list[Call]:
    """Return `count` different requests: single transactions and small batches."""
    chance = random.Random(seed)
    return [_call(chance, f"key-{seed}-{number}") for number in range(count)]


def total(accepted: Sequence[Call]) -> Counter[tuple[str, str, str]]:
    """Return what the counters must be once these were recorded, each once."""
    counters = Counter[tuple[str, str, str]]()
    for call in accepted:
        for account, currency, side, amount in call.moves:
            counters[account, currency, side] += amount
    return counters


def _call(chance: random.Random, key: str) -> Call:
    if chance.random() < BATCH_SHARE:
        several = [_moves(chance) for _ in range(chance.randint(2, 8))]
        body = {"transactions": [_transaction(moves) for moves in several]}
        return Call(
            f"{LEDGER}/transactions/batch", key, body, [move for moves in several for move in moves], len(several)
        )
    moves = _moves(chance)
    return Call(f"{LEDGER}/transactions", key, _transaction(moves), moves, 1)


def _moves(chance: random.Random) -> list[Move]:
    """Move one or two amounts between random accounts, in a random order of lines."""
    moves: list[Move] = []
    for _ in range(chance.randint(1, 2)):
        debited, credited = chance.sample(sorted(ACCOUNTS), 2)
        if chance.random() < HOT_SHARE and credited != HOT:
            debited = HOT
        if chance.random() < 0.5:
            debited, credited = credited, debited
        currency = chance.choice(CURRENCIES)
        amount = chance.randint(1, 5_000)
        moves += [(debited, currency, "debit", amount), (credited, currency, "credit", amount)]
    chance.shuffle(moves)
    return moves


def _transaction(moves: Sequence[Move]) -> Mapping[str, object]:
    postings = [
        {"account": account, "currency": currency, side: text(amount)} for account, currency, side, amount in moves
    ]
    return {"postings": postings}
