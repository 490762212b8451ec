"""What a journal has no place for, as metadata of its entries: names that begin with `ledger-` are ours.

    ledger-path          an account's path
    ledger-limits        its limits, as JSON
    ledger-currencies    the currencies it takes, apart by blanks, where the journal has no other word for that
    ledger-closed        `yes`, where the journal has no other word for that
    ledger-code          a currency's code, where the journal calls it otherwise
    ledger-digits        its decimal digits
    ledger-time          the effective time, where it is not the beginning of the day
    ledger-reference     a transaction's reference
    ledger-description   its description, where the journal's own line cannot say it
    ledger-amount        an amount of more digits than what reads it keeps
    ledger-metadata      metadata whose names or values the journal cannot have, as JSON

Other metadata stays what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from myapp.api.exchange.book import Book
from myapp.ledger import model, money

PREFIX = "ledger-"
PATH = "ledger-path"
LIMITS = "ledger-limits"
CURRENCIES = "ledger-currencies"
CLOSED = "ledger-closed"
CODE = "ledger-code"
DIGITS = "ledger-digits"
TIME = "ledger-time"
REFERENCE = "ledger-reference"
DESCRIPTION = "ledger-description"
AMOUNT = "ledger-amount"
METADATA = "ledger-metadata"

# What an import makes of a transaction that has no reference; it would make the same again.
MADE_REFERENCE = re.compile(r"(?:beancount|hledger):[0-9a-f]{32}-[0-9a-f]{8}-[0-9]+")


def is_own(reference: str | None) -> bool:
    """Say whether a reference says more than what the entry says anyway."""
    return reference is not None and MADE_REFERENCE.fullmatch(reference) is None


def limits(account: model.Account, book: Book) -> str | None:
    """Return an account's limits as JSON, or None where it has none."""
    if not account.limits:
        return None
    ends = {
        code: {
            name: money.to_text(minor, book.exponents[code])
            for name, minor in (("min", of.min_minor), ("max", of.max_minor))
            if minor is not None
        }
        for code, of in account.limits.items()
    }
    return compact(ends)


def divided(metadata: Mapping[str, str], is_plain: Callable[[str, str], bool]) -> dict[str, str]:
    """Return metadata as the journal can have it: what is not plain goes together into one entry."""
    plain = {key: value for key, value in metadata.items() if not key.startswith(PREFIX) and is_plain(key, value)}
    rest = {key: value for key, value in metadata.items() if key not in plain}
    return {**plain, METADATA: compact(rest)} if rest else plain


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
