"""Random prices and webhooks, and times to look at: when something counts or was recorded, or next to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from myapp.ledger.model import NewPrice, NewWebhook
from tests.reference import generate
from tests.reference.book import Book
from tests.reference.looking import Look

MICROSECOND = timedelta(microseconds=1)
PRICES = ("1.1", "1.10", "0.5", "0.333", "3", "0", "1e-20", "1234567.000001", "9" * 40)
NO_PRICES = ("-1", "1e-21", "1e40")
TREES = ("assets", "liabilities", "assets:till", "income:sales", "nowhere")


def known_prices(book: Book) -> Sequence[NewPrice]:
    """Return a price of each currency in dollars, of long ago, so that a report can be valued."""
    pairs = [(code, "USD") for code in generate.codes_of(book) if code != "USD"]
    long_ago = generate.START + timedelta(days=generate.DAYS[0])
    return [NewPrice(currency=code, quote=quote, price=Decimal("1.5"), effective_at=long_ago) for code, quote in pairs]


@st.composite
def prices(draw: DrawFn, book: Book) -> Sequence[NewPrice]:
    """One to three prices, of which the last may correct the first."""
    return tuple(draw(st.lists(price(book), min_size=1, max_size=3)))


@st.composite
def price(draw: DrawFn, book: Book) -> NewPrice:
    codes = [*generate.codes_of(book) * 12, *generate.NO_CURRENCIES]
    return NewPrice(
        currency=draw(st.sampled_from(codes)),
        quote=draw(st.sampled_from((*("USD", "USD", "JPY") * 12, *codes))),
        price=Decimal(draw(st.sampled_from((*PRICES * 12, *NO_PRICES)))),
        effective_at=generate.START + timedelta(days=draw(st.sampled_from(generate.DAYS))),
    )


def new_webhooks() -> SearchStrategy[NewWebhook]:
    return st.builds(
        NewWebhook,
        url=st.sampled_from(("https://shop.example/hooks", "https://other.example/")),
        types=st.sampled_from((None, ["transaction.posted"])),
        description=st.none() | st.just("Shop"),
        after=st.integers(0, 9),
    )


def webhook_changes() -> SearchStrategy[dict[str, object]]:
    return st.sampled_from(
        (
            {"state": "paused"},
            {"state": "active"},
            {"url": "https://new.example/"},
            {"types": ["price.recorded"], "description": None},
            {"description": "New"},
        )
    )


def webhook_places(book: Book) -> SearchStrategy[int]:
    return st.sampled_from((*range(len(book.hooks)), *range(len(book.hooks)), len(book.hooks)))


@st.composite
def looks(draw: DrawFn, book: Book, known: Sequence[datetime], now: datetime) -> Look:
    """A way to look at the ledger; an end that is left open is now where a report asks for one."""
    moments = sorted({now, *(move.effective_at for move in book.moves), *(price.effective_at for price in book.prices)})
    moment = st.builds(
        lambda at, step: at + step * MICROSECOND, st.sampled_from(moments), st.sampled_from((-1, 0, 0, 1))
    )
    since, until = sorted((draw(moment), draw(moment)))
    return Look(
        now=now,
        at=draw(moment),
        since=draw(st.none() | st.just(since)),
        until=until,
        known_at=draw(st.none() | st.sampled_from(known)) if known else None,
        children=draw(st.booleans()),
    )
