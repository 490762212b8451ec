"""Prices as they are sent and answered."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from myapp.api.fields import CurrencyCode, Instant, KnownAt, Moment, PriceText
from myapp.api.schemas import Input, Output, Page
from myapp.ledger import model

Quote = Annotated[CurrencyCode, Meta(description="The currency that the price is in.", examples=["USD"])]
Priced = Annotated[CurrencyCode, Meta(description="The currency that is worth something.", examples=["EUR"])]


class NewPrice(Input, kw_only=True):
    """What one unit of `currency` is worth in `quote` from a time on."""

    currency: Priced
    quote: Quote
    price: PriceText
    effective_at: Annotated[Instant | None, Meta(description="From when on; now, when left out.")] = None


class NewPrices(Input, kw_only=True):
    prices: Annotated[list[NewPrice], Meta(min_length=1, max_length=model.PRICES_MAX)]


class PricesQuery(Page, kw_only=True, rename={"from_": "from"}):
    currency: Annotated[CurrencyCode | None, Meta(description="Prices of this currency.")] = None
    quote: Annotated[CurrencyCode | None, Meta(description="Prices in this currency.")] = None
    from_: Annotated[Instant | None, Meta(description="The first effective time to list.")] = None
    to: Annotated[Instant | None, Meta(description="The effective time to stop before.")] = None
    known_at: KnownAt = None


class Price(Output, kw_only=True):
    """A recorded price; of those for one time the one recorded last counts."""

    currency: Priced
    quote: Quote
    price: PriceText
    effective_at: Moment
    recorded_at: Moment


class Prices(Output, kw_only=True):
    items: list[Price]
