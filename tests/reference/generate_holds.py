"""Random requests about holds and reversals: mostly of what can still be posted, by amounts next to what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from myapp.ledger.model import NewPosting, Side
from tests.reference import generate
from tests.reference.book import Book, Entry
from tests.reference.holds import Post, Reversal


def holds(book: Book, now: datetime) -> SearchStrategy[int | None]:
    """Return the place of a hold, of a pending one most often, rarely that of another transaction, or none."""
    pending = [place for place in book.holds if book.state_of(place, now) == "pending"]
    return st.sampled_from((*pending * 12, *book.holds, len(book.records) - 1, None))


@st.composite
def post(draw: DrawFn, book: Book, now: datetime) -> Post:
    place = draw(holds(book, now))
    postings = None
    if place is not None and draw(st.sampled_from((False, True, True))):
        postings = draw(parts(book, place))
    return Post(
        place,
        postings=postings,
        final=draw(st.sampled_from((False, False, True))),
        reference=draw(st.sampled_from(generate.REFERENCES)),
        description=draw(st.sampled_from((None, None, "Capture"))),
        effective_at=draw(generate.instants()),
        metadata=draw(st.sampled_from(({}, {"capture": "1"}))),
    )


@st.composite
def posts(draw: DrawFn, book: Book, now: datetime) -> Sequence[Post]:
    return tuple(draw(st.lists(post(book, now), min_size=1, max_size=3)))


@st.composite
def parts(draw: DrawFn, book: Book, place: int) -> Sequence[NewPosting]:
    """A part of the hold that balances: pairs of its lines; now and then one line is spoiled."""
    entries = book.records[place].entries
    left = list(book.holds[place].remaining) if place in book.holds else [entry.minor for entry in entries]
    postings: list[NewPosting] = []
    for _ in range(draw(st.sampled_from((1, 1, 2)))):
        debited, credited = draw(st.sampled_from(pairs_of(entries)))
        room = min(left[debited], left[credited])
        minor = draw(st.sampled_from((max(room, 1), max(room // 2, 1), max(room // 3, 1), room + 1)))
        for line in (debited, credited):
            left[line] = max(left[line] - minor, 0)
            postings.append(posting_of(book, entries[line], minor))
    if draw(st.integers(0, 11)) == 0:
        line = draw(st.integers(0, len(postings) - 1))
        postings[line] = draw(st.sampled_from((*generate.SPOILS, other_account)))(book, postings[line])
    return tuple(postings)


def pairs_of(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    return [
        (debited, credited)
        for debited, one in enumerate(entries)
        for credited, other in enumerate(entries)
        if one.currency == other.currency and (one.side, other.side) == (Side.DEBIT, Side.CREDIT)
    ]


def posting_of(book: Book, entry: Entry, minor: int) -> NewPosting:
    amount = generate.decimal_of(minor, book.exponent(entry.currency) or 0)
    return NewPosting(account=entry.account, currency=entry.currency, side=entry.side, amount=amount)


def other_account(book: Book, posting: NewPosting) -> NewPosting:
    others = [path for path in sorted(book.accounts) if path != posting.account]
    return replace(posting, account=others[0]) if others else replace(posting, amount=Decimal(0))


@st.composite
def voids(draw: DrawFn, book: Book, now: datetime) -> Sequence[int | None]:
    """Mostly different holds; one that occurs twice is refused before anything else is seen."""
    return tuple(draw(st.lists(holds(book, now), min_size=1, max_size=3, unique=draw(st.integers(0, 7)) > 0)))


@st.composite
def reversals(draw: DrawFn, book: Book) -> Reversal:
    """A reversal, often of what has to do with a hold."""
    used = [place for hold, held in book.holds.items() if held.posts for place in (hold, *held.posts)]
    place = draw(st.sampled_from((*used * 3, *range(len(book.records)), None)))
    return Reversal(
        place,
        reference=draw(st.sampled_from(generate.REFERENCES)),
        description=draw(st.sampled_from((None, None, "Mistake"))),
        effective_at=draw(generate.instants()),
        metadata=draw(st.sampled_from(({}, {"why": "mistake"}))),
    )
