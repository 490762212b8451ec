"""Random lines of bank statements: mostly of money that a posting has, some days away, now and then naming it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from myapp.ledger.bank import NewLine
from myapp.ledger.model import Side
from tests.reference import generate
from tests.reference.bank import Decision, Statement
from tests.reference.book import Book, Entry, Record

TEXTS: tuple[Mapping[str, str], ...] = ({}, {"text": "rent"}, {"text": "Rent january"})


@st.composite
def statements(draw: DrawFn, book: Book) -> Statement:
    account = draw(st.sampled_from([*sorted(book.accounts) * 12, "assets:nowhere"]))
    clearing = draw(
        st.none() | st.sampled_from([*[path for path in book.accounts if path != account] * 12, "assets:no-clearing"])
    )
    against = clearing or account
    postings = [(record, entry) for record in book.records for entry in record.entries if entry.account == against]
    lines = draw(st.lists(line(book, postings), min_size=1, max_size=4))
    return Statement(account, clearing, tuple(lines), late=draw(st.booleans()))


@st.composite
def line(draw: DrawFn, book: Book, postings: list[tuple[Record, Entry]]) -> NewLine:
    day, side, currency, minor = generate.START.date(), draw(st.sampled_from(Side)), "USD", draw(st.integers(1, 3))
    details = draw(st.sampled_from(TEXTS))
    if postings and draw(st.integers(0, 5)):
        record, entry = draw(st.sampled_from(postings))
        day = record.effective_at.date() + timedelta(days=draw(st.sampled_from((0, 0, 1, -2, 9))))
        side, currency, minor = entry.side, entry.currency, entry.minor
        if record.reference not in (None, "bank") and draw(st.booleans()):
            how = draw(st.sampled_from(("text", "reference")))
            details = {how: record.reference if how == "reference" else f"paid {record.reference}"}
    exponent = book.exponent(currency) or 0
    amount = generate.decimal_of(minor, exponent)
    if draw(st.integers(0, 39)) == 23:
        amount += generate.decimal_of(1, exponent + 1)
    return NewLine(
        booked_on=day,
        side=side,
        amount=amount or Decimal(1),
        currency=draw(st.sampled_from((*[currency] * 39, "NOPE"))),
        details=details,
        bank_id=draw(st.sampled_from((None, None, "b-1", "b-2"))),
        statement=draw(st.integers(0, 1)),
    )


@st.composite
def decisions(draw: DrawFn, book: Book) -> Decision:
    """A decision about a line, mostly by what is proposed or what may fit."""
    place = draw(st.integers(0, len(book.bank)))
    near: list[int | None] = [None]
    if place < len(book.bank):
        of = book.bank[place]
        near += [key[0] for key in of.proposals]
        near += [
            number
            for number, record in enumerate(book.records)
            if any((entry.account, entry.minor) == (of.against, of.minor) for entry in record.entries)
        ]
    return Decision(
        place,
        transaction=draw(st.sampled_from((*near * 3, len(book.records)))),
        to=draw(generate.paths(book)),
        effective_at=draw(generate.instants()),
    )


def accounts(book: Book) -> SearchStrategy[str]:
    used = sorted({each.account for each in book.bank})
    return st.sampled_from([*used * 12, *sorted(book.accounts), "assets:nowhere"])
