"""The prices' views."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import cursors, fields, idempotency, pages, respond, security, wishes
from myapp.api.prices import schemas
from myapp.api.request import Request
from myapp.api.schemas import Listed, NoQuery
from myapp.ledger import model, operations, queries


class PriceCursor(cursors.Cursor, tag="prices"):
    currency: fields.CurrencyCode
    quote: fields.CurrencyCode
    effective_at: fields.Instant
    id: UUID


@view_config(
    route_name="prices",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.NewPrices,
    headers=("Idempotency-Key",),
    answers={201: schemas.Prices},
    refusals=("unknown-currency",),
)
def record_prices(request: Request[schemas.NewPrices, NoQuery]) -> Response:
    """Record prices.

    Up to 1,000, all of them or none. A price is never changed: one for the same currencies and time that comes later
    counts from then on, and reports as known before still use the earlier one. What is recorded already stays as it is.
    """
    wanted = [
        model.NewPrice(
            currency=each.currency,
            quote=each.quote,
            price=Decimal(each.price),
            effective_at=wishes.moment(each.effective_at) or request.now,
        )
        for each in request.wanted.prices
    ]

    def record() -> bytes:
        recorded = operations.record_prices(request.dbsession, request.ledger, wanted, now=request.now)
        return respond.encode(schemas.Prices(items=[_answer(price) for price in recorded]))

    location = respond.address("ledgers", request.ledger.name, "prices")
    return idempotency.once(request, request.ledger.id, record, location=location)


@view_config(
    route_name="prices",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.PricesQuery,
    answers={200: Listed[schemas.Price]},
)
def list_prices(request: Request[None, schemas.PricesQuery]) -> Response:
    """List prices.

    By currency, quote and time; those for the same time in the order they were recorded. With `known_at`, those that
    were recorded by then.
    """
    asked = request.asked
    rows = queries.list_prices(
        request.dbsession,
        request.ledger,
        currency=asked.currency,
        quote=asked.quote,
        effective_from=wishes.moment(asked.from_),
        effective_to=wishes.moment(asked.to),
        known_at=wishes.moment(asked.known_at),
        after=_position(cursors.decode(asked.after, PriceCursor)),
        limit=asked.limit + 1,
    )
    return pages.respond_with(request, rows, limit=asked.limit, item=_answer, cursor=_cursor)


def _answer(of: model.Price) -> schemas.Price:
    return schemas.Price(
        currency=of.currency,
        quote=of.quote,
        price=format(of.price, "f"),
        effective_at=of.effective_at,
        recorded_at=of.recorded_at,
    )


def _cursor(of: model.Price) -> PriceCursor:
    return PriceCursor(of.currency, of.quote, fields.Instant(of.effective_at), of.id)


def _position(after: PriceCursor | None) -> queries.PricePosition | None:
    if after is None:
        return None
    return queries.PricePosition(after.currency, after.quote, after.effective_at.at, after.id)
