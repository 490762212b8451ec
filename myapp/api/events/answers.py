"""Turn events into what is answered: what a transaction's event is about is read from what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from myapp.api import answers, schemas
from myapp.api.events import schemas as event_schemas
from myapp.api.exponents import Exponents
from myapp.ledger import model, money, queries

# What is in a payload is ours: it was made by the ledger, and is checked as it is read.
Payload = Mapping[str, Any]


def events(
    session: Session, ledger: model.Ledger, found: Sequence[model.Event], exponents: Exponents
) -> list[event_schemas.Event]:
    """Return the events as answers, with at most four statements, however many they are."""
    ids = [event.id for event in found if event.type.is_of_transaction]
    transactions = queries.load_transactions(session, ledger, ids) if ids else ()
    codes = answers.transaction_currencies(transactions)
    codes |= {code for event in found for code in _currencies(event)}
    known = exponents.of(session, ledger, codes)
    by_id = {each.id: answers.transaction(each, known) for each in transactions}
    return [_event(event, by_id, known) for event in found]


def _event(
    of: model.Event, transactions: Mapping[UUID, schemas.Transaction], exponents: Mapping[str, int]
) -> event_schemas.Event:
    kind = event_schemas.OF_TYPE[of.type]
    head = {"type": of.type.value, "seq": of.seq, "id": of.id, "recorded_at": of.recorded_at}
    if of.type.is_of_transaction:
        return kind(seq=of.seq, id=of.id, recorded_at=of.recorded_at, data=transactions[of.id])  # type: ignore[arg-type]
    payload: dict[str, Any] = dict(of.payload)
    if "limits" in payload:
        payload["limits"] = {code: _limits(each, exponents[code]) for code, each in _limits_of(payload).items()}
    if of.type is model.EventType.BANK_LINE_IMPORTED:
        payload[payload["side"]] = money.to_text(int(payload["amount"]), exponents[payload["currency"]])
    return msgspec.convert({**head, "data": payload}, kind)


def _currencies(of: model.Event) -> Iterable[str]:
    """Return the currencies of the amounts in a payload."""
    payload: Payload = of.payload
    return [payload["currency"]] if of.type is model.EventType.BANK_LINE_IMPORTED else _limits_of(payload)


def _limits_of(payload: Payload) -> Mapping[str, Any]:
    limits: Mapping[str, Any] = payload.get("limits", {})
    return limits


def _limits(of: Mapping[str, int | None], exponent: int) -> Mapping[str, str]:
    return {end: money.to_text(minor, exponent) for end, minor in of.items() if minor is not None}
