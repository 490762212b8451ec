"""Tell whether a line was imported before. Pure.

A fingerprint is made of what the bank never changes from one file to the next: its own id with the day and the money
where it gives one, else the day, the money and the words. Equal lines of one statement are counted: two coffees of one
day are two lines, in this file and in the next one that has that day.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from myapp.ledger import money
from myapp.ledger.bank.model import NewLine

HASH_DIGITS = 32
# The parts of a line that say what it was for; each is in a file of one bank always, or never.
WORDS = ("text", "counterparty", "counterparty_account", "reference", "end_to_end_id")


def of_lines(lines: Sequence[NewLine], exponents: Sequence[int]) -> Sequence[str]:
    """Return the fingerprint of each line, unique within a statement; `exponents` are those of their currencies.

    Raises:
        AmountPrecision, AmountOutOfRange: an amount does not fit its currency.
    """
    seen: Counter[tuple[int, str]] = Counter()
    found = []
    for line, exponent in zip(lines, exponents, strict=True):
        digest = _digest(line, exponent)
        seen[line.statement, digest] += 1
        found.append(f"{digest}:{seen[line.statement, digest]}")
    return found


def reference(account: str, line: NewLine, fingerprint: str) -> str:
    """Return the reference of the transaction that a line becomes, which tells the bookkeeper its day."""
    digest = hashlib.sha256(f"{account}\0{fingerprint}".encode()).hexdigest()
    return f"bank:{line.booked_on.isoformat()}:{digest[:HASH_DIGITS]}"


def _digest(line: NewLine, exponent: int) -> str:
    # In the smallest unit, so that 5 and 5.00 are the same.
    amount = str(money.to_minor(line.amount, exponent))
    kind, words = ("id", [line.bank_id]) if line.bank_id else ("line", [_plain(line, name) for name in WORDS])
    parts = [kind, line.booked_on.isoformat(), line.side.value, amount, line.currency, *words]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:HASH_DIGITS]


def _plain(line: NewLine, name: str) -> str:
    """Return the words without what one export of a bank may break differently than another."""
    return " ".join(line.details.get(name, "").split()).casefold()
