"""Record prices: what one unit of a currency is worth in another, from a time on.

A price is never changed. One for the same time that was recorded later corrects the earlier one, which stays: a report
as known before still uses it. Recording what is known already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import currencies, errors, ids, queries, words
from myapp.ledger.events import writing
from myapp.ledger.model import EventType, Ledger, NewPrice, Price
from myapp.ledger.queries import by_key
from myapp.ledger.tables import prices


def record_prices(session: Session, ledger: Ledger, wanted: Sequence[NewPrice], *, now: datetime) -> Sequence[Price]:
    """Record prices, all or none, and return them in their order: new ones, or those that were there already.

    Shape: of two for the same currencies and time the last one counts.
    Raises:
        InvalidValue: a price has no sense.
        UnknownCurrency: neither ISO 4217 nor the ledger knows a currency.
    """
    _check(session, ledger, wanted)
    known = {(each.currency, each.quote, each.effective_at): each for each in _newest(session, ledger, wanted)}
    recorded: list[Price] = []
    new: list[Price] = []
    for each, price_id in zip(wanted, ids.new_ids(now, len(wanted)), strict=True):
        key = (each.currency, each.quote, each.effective_at)
        if key not in known or known[key].price != each.price:
            known[key] = Price(
                id=price_id,
                currency=each.currency,
                quote=each.quote,
                price=each.price,
                effective_at=each.effective_at,
                recorded_at=now,
            )
            new.append(known[key])
        recorded.append(known[key])
    if new:
        session.execute(sa.insert(prices), [_row(ledger, price) for price in new])
    payloads = {price.id: _payload(price) for price in new}
    writing.announce_recorded(session, ledger.id, EventType.PRICE_RECORDED, payloads=payloads, now=now)
    return recorded


def _check(session: Session, ledger: Ledger, wanted: Sequence[NewPrice]) -> None:
    for place, each in enumerate(wanted):
        try:
            words.check_price(each)
        except errors.InvalidValue as refusal:
            raise refusal.within("prices", str(place), *refusal.member) from None
    known = currencies.read(session, ledger.id, {code for each in wanted for code in (each.currency, each.quote)})
    for place, each in enumerate(wanted):
        for member, code in (("currency", each.currency), ("quote", each.quote)):
            if code not in known.of:
                refused = errors.UnknownCurrency(f"There is no currency {code}; declare it with PUT.")
                raise refused.within("prices", str(place), member)
    currencies.use(session, ledger.id, known.first_used)


def _newest(session: Session, ledger: Ledger, wanted: Sequence[NewPrice]) -> Sequence[Price]:
    """Return what is recorded for the same currencies and times, the last one last."""
    columns = (prices.c.currency, prices.c.quote, prices.c.effective_at)
    keys = sorted({(each.currency, each.quote, each.effective_at) for each in wanted})
    found = by_key.read_together(session, sa.select(prices).where(prices.c.ledger_id == ledger.id), columns, keys)
    return [queries.price_of(row) for row in sorted(found, key=lambda row: row.id)]


def _payload(price: Price) -> Mapping[str, object]:
    return {
        "currency": price.currency,
        "quote": price.quote,
        "price": format(price.price, "f"),
        "effective_at": price.effective_at.isoformat(),
    }


def _row(ledger: Ledger, price: Price) -> Mapping[str, object]:
    return {
        "ledger_id": ledger.id,
        "id": price.id,
        "currency": price.currency,
        "quote": price.quote,
        "effective_at": price.effective_at,
        "price": format(price.price, "f"),
        "recorded_at": price.recorded_at,
    }
