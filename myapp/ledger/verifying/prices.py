"""Prices: each is what its event says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow
from myapp.ledger.model import EventType, Ledger
from myapp.ledger.tables import prices
from myapp.ledger.verifying.payloads import Payload
from myapp.ledger.verifying.told import Told, at

AGREE = "prices-agree"


def _expect(_session: Session, _ledger: Ledger, rows: Sequence[AnyRow]) -> Iterator[Payload]:
    for row in rows:
        yield {
            "currency": row.currency,
            "quote": row.quote,
            "price": row.price,
            "effective_at": row.effective_at.isoformat(),
            **at(row.recorded_at),
        }


def _spell(payload: Payload) -> Payload:
    """Return the payload with its time in UTC, whatever zone it was sent in."""
    try:
        effective_at = datetime.fromisoformat(str(payload.get("effective_at"))).astimezone(UTC)
    except ValueError:
        return payload
    return {**payload, "effective_at": effective_at.isoformat()}


PRICES = Told(word="price", table=prices, kind=EventType.PRICE_RECORDED, expect=_expect, spell=_spell)
