"""The reference model itself, where a hold counts in the future: what gives it back counts no earlier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from myapp.ledger.model import AccountType, Side
from tests.reference import holds, looking
from tests.reference.book import Book, BookAccount, Entry, HeldState, Move, Record, Tally

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TILL, SALES = "assets:till", "income:sales"


@pytest.fixture
def book() -> Book:
    """Return a book with one hold on the till, which expires in an hour and counts in two."""
    book = Book(currencies={"USD": 2})
    for path, kind, side in ((SALES, AccountType.INCOME, Side.DEBIT), (TILL, AccountType.ASSET, Side.CREDIT)):
        tally = Tally().plus(side, 500, "pending")
        book.accounts[path] = BookAccount(path, kind, None, {}, tallies={"USD": tally})
        book.moves.append(Move(path, "USD", side, 500, "pending", NOW + 2 * HOUR))
    entries = [Entry(each.account, "USD", each.side, 500, "pending", Tally(), 500) for each in book.moves]
    book.records.append(
        Record(None, None, NOW + 2 * HOUR, NOW, {}, entries, status="pending", expires_at=NOW + HOUR, pending_of=None)
    )
    book.holds[0] = HeldState([500, 500])
    return book


def counted_at(book: Book) -> set[datetime]:
    """Return when what was given back counts; nothing is left of it from then on, and nothing is missing before."""
    at = {move.effective_at for move in book.moves if move.effect == "released"}
    assert looking.counters(book, [TILL], NOW + 2 * HOUR - timedelta(microseconds=1)) == {}
    assert looking.counters(book, [TILL], max(at)) == {}
    return at


def test_a_void_counts_from_the_hold(book: Book) -> None:
    holds.void(book, [0], now=NOW, key=None)

    assert counted_at(book) == {NOW + 2 * HOUR}


def test_an_expiry_counts_from_the_hold(book: Book) -> None:
    assert holds.expire(book, now=NOW + HOUR, limit=9) == 1

    assert counted_at(book) == {NOW + 2 * HOUR}


def test_an_expiry_counts_from_the_open_period_if_that_is_later(book: Book) -> None:
    book.locked_before = NOW + 3 * HOUR

    assert holds.expire(book, now=NOW + HOUR, limit=9) == 1

    assert counted_at(book) == {NOW + 3 * HOUR}
