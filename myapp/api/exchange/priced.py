"""The prices that count, for the formats that know of no corrections: of those for one time the last recorded.

Of several on one day both programs take the last that is written, which here is the latest of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from myapp.api.exchange.book import Book
from myapp.ledger import model, queries


def prices(book: Book) -> Iterator[model.Price]:
    """Yield the prices of the period by effective time."""
    last: model.Price | None = None
    for price in book.prices(queries.Order.EFFECTIVE):
        if last is not None and _key(last) != _key(price):
            yield last
        last = price
    if last is not None:
        yield last


def _key(of: model.Price) -> tuple[object, ...]:
    return of.currency, of.quote, of.effective_at
