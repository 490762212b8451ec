"""Read prices: in pages, all of a period, and the one of each currency that counts at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger, Price
from myapp.ledger.queries.journal import PORTION, Order, Period
from myapp.ledger.reports.valuing import Rate

currencies, prices = tables.currencies, tables.prices


class PricePosition(NamedTuple):
    """A price's place in the order of the list."""

    currency: str
    quote: str
    effective_at: datetime
    id: UUID


ORDER = tuple(prices.c[name] for name in PricePosition._fields)


def list_prices(
    session: Session,
    ledger: Ledger,
    *,
    currency: str | None = None,
    quote: str | None = None,
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
    known_at: datetime | None = None,
    after: PricePosition | None,
    limit: int,
) -> Sequence[Price]:
    """List prices by currency, quote, time and, for one time, as they were recorded; `effective_to` is exclusive.

    With `known_at` only those that were recorded by then.
    """
    query = sa.select(prices).where(prices.c.ledger_id == ledger.id).order_by(*ORDER).limit(limit)
    if currency is not None:
        query = query.where(prices.c.currency == currency)
    if quote is not None:
        query = query.where(prices.c.quote == quote)
    if effective_from is not None:
        query = query.where(prices.c.effective_at >= effective_from)
    if effective_to is not None:
        query = query.where(prices.c.effective_at < effective_to)
    if known_at is not None:
        query = query.where(prices.c.recorded_at <= known_at)
    if after is not None:
        position = (sa.literal(value, column.type) for value, column in zip(after, ORDER, strict=True))
        query = query.where(sa.tuple_(*ORDER) > sa.tuple_(*position))
    return [price_of(row) for row in session.execute(query)]


def walk_prices(session: Session, ledger: Ledger, period: Period, order: Order) -> Iterator[Price]:
    """Yield the prices effective in a period, in memory that does not grow with them.

    Shape: by effective time, those for the same currencies and time as they were recorded; or all as recorded.
    """
    query = sa.select(prices).where(prices.c.ledger_id == ledger.id)
    if order is Order.EFFECTIVE:
        query = query.order_by(prices.c.effective_at, prices.c.currency, prices.c.quote)
    query = query.order_by(prices.c.id)
    if period.start is not None:
        query = query.where(prices.c.effective_at >= period.start)
    if period.end is not None:
        query = query.where(prices.c.effective_at < period.end)
    for portion in session.execute(query.execution_options(yield_per=PORTION)).partitions():
        yield from (price_of(row) for row in portion)


def find_rates(
    session: Session, ledger: Ledger, codes: Collection[str], quote: str, *, at: datetime, known_at: datetime | None
) -> Mapping[str, Rate]:
    """Return by currency its price in `quote`, the last at or before `at`; what has none is absent.

    A price in the other direction serves where there is none in this. Two statements.
    """
    if not codes:
        return {}
    code, other = currencies.c.code, sa.literal(quote, prices.c.quote.type)
    query = sa.select(
        code,
        _last(ledger, code, other, at, known_at).label("direct"),
        _last(ledger, other, code, at, known_at).label("inverse"),
    ).where(currencies.c.ledger_id == ledger.id, code.in_(sorted(codes)))
    chosen = {row.code: row.direct or row.inverse for row in session.execute(query) if row.direct or row.inverse}
    if not chosen:
        return {}
    found = sa.select(prices).where(prices.c.ledger_id == ledger.id, prices.c.id.in_(sorted(chosen.values())))
    by_id = {row.id: price_of(row) for row in session.execute(found)}
    return {each: _rate(by_id[price_id]) for each, price_id in chosen.items()}


def price_of(row: AnyRow) -> Price:
    """Return the price of a row."""
    return Price(
        id=row.id,
        currency=row.currency,
        quote=row.quote,
        price=Decimal(row.price),
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
    )


def _last(
    ledger: Ledger,
    currency: sa.ColumnElement[str],
    quote: sa.ColumnElement[str],
    at: datetime,
    known_at: datetime | None,
) -> sa.ScalarSelect[Any]:
    """Select the id of the last price up to a time: one step down the index, however many there are."""
    query = sa.select(prices.c.id).where(
        prices.c.ledger_id == ledger.id,
        prices.c.currency == currency,
        prices.c.quote == quote,
        prices.c.effective_at <= at,
    )
    if known_at is not None:
        query = query.where(prices.c.recorded_at <= known_at)
    newest_first = (prices.c.effective_at.desc(), prices.c.id.desc())
    return query.order_by(*newest_first).limit(1).correlate(currencies).scalar_subquery()


def _rate(of: Price) -> Rate:
    return Rate(currency=of.currency, quote=of.quote, price=of.price, effective_at=of.effective_at)
