"""A ledger as NDJSON: everything, in the order in which it was recorded."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from myapp.api.exchange import lines, times
from myapp.api.exchange.book import Book
from myapp.api.exchange.metadata import read_metadata
from myapp.ledger import model, money, queries

_encoder = msgspec.json.Encoder()


def write(book: Book) -> Iterator[bytes]:
    """Yield the lines."""
    for line in _head(book):
        yield _encoder.encode(line) + b"\n"
    total = lines.Total(transactions=0, postings=0, prices=0)
    for line in recorded(book):
        if isinstance(line, lines.Price):
            total.prices += 1
        else:
            total.transactions += 1
            total.postings += len(line.postings)
        yield _encoder.encode(line) + b"\n"
    yield _encoder.encode(total) + b"\n"


def recorded(book: Book) -> Iterator[lines.Recorded]:
    """Yield the lines of the transactions, and then those of the prices, each as they were recorded."""
    yield from _transactions(book)
    for price in book.prices(queries.Order.RECORDED):
        yield lines.Price(
            currency=price.currency,
            quote=price.quote,
            price=format(price.price, "f"),
            effective_at=times.of(price.effective_at),
            recorded_at=times.of(price.recorded_at),
        )


def _head(book: Book) -> Iterator[lines.Line]:
    ledger, period = book.ledger, book.period
    yield lines.Ledger(
        version=lines.VERSION,
        name=ledger.name,
        metadata=dict(sorted(ledger.metadata.items())),
        created_at=times.of(ledger.created_at),
        locked_before=None if ledger.locked_before is None else times.of(ledger.locked_before),
        from_=UNSET if period.start is None else times.of(period.start),
        to=UNSET if period.end is None else times.of(period.end),
    )
    for currency in book.currencies:
        yield lines.Currency(code=currency.code, exponent=currency.exponent)
    for account in book.accounts:
        yield _account(account, book)


def _account(of: model.Account, book: Book) -> lines.Account:
    return lines.Account(
        path=of.path,
        type=of.type,
        closed=of.closed_at is not None,
        currencies=None if of.currencies is None else list(of.currencies),
        limits={code: _limits(limits, book.exponents[code]) for code, limits in of.limits.items()},
        metadata=dict(sorted(of.metadata.items())),
    )


def _limits(of: model.Limits, exponent: int) -> lines.Limits:
    return lines.Limits(
        min=UNSET if of.min_minor is None else money.to_text(of.min_minor, exponent),
        max=UNSET if of.max_minor is None else money.to_text(of.max_minor, exponent),
    )


def _transactions(book: Book) -> Iterator[lines.Transaction]:
    paths = {book.walk.key_of(account.id): account.path for account in book.accounts}
    exponents, debit, posted = book.exponents, model.Side.DEBIT.value, model.Effect.POSTED.value
    for entry, of_entry in book.walk.entries(queries.Order.RECORDED):
        postings = []
        for account, currency, side, amount, moved in of_entry:
            text = money.to_text(amount, exponents[currency])
            effect = UNSET if moved == posted else moved
            if side == debit:
                postings.append(lines.Posting(paths[account], currency, text, UNSET, effect))
            else:
                postings.append(lines.Posting(paths[account], currency, UNSET, text, effect))
        yield lines.Transaction(
            id=entry.id,
            status=entry.status,
            reference=entry.reference,
            description=entry.description,
            effective_at=times.instant(entry.effective_at),
            recorded_at=times.instant(entry.recorded_at),
            metadata=read_metadata(entry.metadata),
            pending_of=entry.pending_of or UNSET,
            reverses=entry.reverses or UNSET,
            expires_at=UNSET if entry.expires_at is None else times.instant(entry.expires_at),
            postings=postings,
        )
