"""Prices in the reference model: a list that only grows; of those for one time the last one counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from myapp.ledger.model import NewPrice
from tests.reference.book import Book, PriceRecord, Refused

DIGITS_MAX = 40
DECIMALS_MAX = 20


def record(book: Book, request: Sequence[NewPrice], *, now: datetime) -> Sequence[PriceRecord]:
    for wanted in request:
        check(wanted)
    for wanted in request:
        if None in (book.exponent(wanted.currency), book.exponent(wanted.quote)):
            raise Refused("unknown-currency")
    answer = []
    for wanted in request:
        book.use_currencies([wanted.currency, wanted.quote])
        key = (wanted.currency, wanted.quote, wanted.effective_at)
        known = [price for price in book.prices if (price.currency, price.quote, price.effective_at) == key]
        if not known or known[-1].price != wanted.price:
            known.append(PriceRecord(*key[:2], wanted.price, wanted.effective_at, now))
            book.prices.append(known[-1])
        answer.append(known[-1])
    return answer


def check(wanted: NewPrice) -> None:
    decimals = Fraction(wanted.price) * 10**DECIMALS_MAX
    if wanted.currency == wanted.quote or not 0 <= wanted.price < 10**DIGITS_MAX or decimals.denominator != 1:
        raise Refused("validation-failed")


def listed(book: Book, currency: str | None) -> Sequence[PriceRecord]:
    found = [price for price in book.prices if currency in (None, price.currency)]
    return sorted(found, key=lambda price: (price.currency, price.quote, price.effective_at))


def rate(book: Book, currency: str, quote: str, at: datetime) -> Fraction | None:
    """Return what one unit is worth: by the last price there is, else by the last one in the other direction."""
    direct, inverse = (last(book, *pair, at) for pair in ((currency, quote), (quote, currency)))
    if direct is not None:
        return Fraction(direct.price)
    return 1 / Fraction(inverse.price) if inverse is not None and inverse.price else None


def last(book: Book, currency: str, quote: str, at: datetime) -> PriceRecord | None:
    found = [price for price in listed(book, currency) if price.quote == quote and price.effective_at <= at]
    return found[-1] if found else None
