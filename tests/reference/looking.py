"""Balances at an effective time as known at a recorded one, in the reference model: sums over everything that moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from myapp.ledger.model import Side
from tests.reference.book import DEBIT_NORMAL, Book, Refused, Tally

Counters = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Look:
    """How a ledger is looked at: what is effective by `at`, or from `since` and before `until`, as known at a time.

    `known_at` is the time of an operation, or None; `children` adds up what is below a path.
    """

    now: datetime
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    known_at: datetime | None = None
    children: bool = False


def balance(book: Book, then: Book, path: str, look: Look) -> tuple[Side, Counters]:
    """Return the direction and the counters; the accounts are those of now."""
    below = [each for each in book.accounts if look.children and each.startswith(f"{path}:")]
    paths = [each for each in book.accounts if each == path] + below
    if not paths:
        raise Refused("not-found")
    of = [path] if path in paths else paths
    are_debit = {book.accounts[each].type in DEBIT_NORMAL for each in of}
    return (Side.CREDIT if are_debit == {False} else Side.DEBIT), counters(then, paths, look.at)


def balances(book: Book, then: Book, look: Look) -> Mapping[str, Counters]:
    return {path: counters(then, [path], look.at) for path in book.accounts}


def counters(book: Book, paths: Collection[str], at: datetime | None) -> Counters:
    """Return the four counters of each currency, where there are any."""
    found: dict[str, Tally] = {}
    for move in book.moves:
        if move.account in paths and (at is None or move.effective_at <= at):
            tally = found.get(move.currency, Tally())
            found[move.currency] = tally.plus(move.side, move.minor, move.effect)
    fours = {
        code: (tally.debits, tally.credits, tally.debits_pending, tally.credits_pending)
        for code, tally in found.items()
    }
    return {code: four for code, four in fours.items() if any(four)}


def nets(book: Book, look: Look) -> Mapping[str, Mapping[str, int]]:
    """Return debits less credits of what is posted, by account and currency."""
    found: dict[str, dict[str, int]] = {}
    for move in book.moves:
        counts = (
            (look.at is None or move.effective_at <= look.at)
            and (look.since is None or move.effective_at >= look.since)
            and (look.until is None or move.effective_at < look.until)
        )
        if counts and move.effect in ("posted", "taken"):
            of_account = found.setdefault(move.account, {})
            signed = move.minor if move.side is Side.DEBIT else -move.minor
            of_account[move.currency] = of_account.get(move.currency, 0) + signed
    return found
