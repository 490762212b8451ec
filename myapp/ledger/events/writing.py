"""Write the event of a change, in the unit of work that makes it. See Note [The order of events]."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import ids, upsert
from myapp.ledger.model import EventType
from myapp.ledger.tables import event_places, events


def announce(
    session: Session,
    ledger_id: UUID,
    kind: EventType,
    *,
    id: UUID,  # noqa: A002
    payload: Mapping[str, object],
    now: datetime,
) -> None:
    """Write one event; to be called last, when the locks of what it tells of are held.

    Shape: the payload is what the change left, as JSON; that of a transaction's event is empty.
    """
    row = {"ledger_id": ledger_id, "id": id, "type": kind.value, "payload": payload, "recorded_at": now}
    session.execute(_insert(upsert.dialect_of(session)), row)


def announce_all(
    session: Session,
    ledger_id: UUID,
    kind: EventType,
    *,
    payloads: Sequence[Mapping[str, object]],
    now: datetime,
) -> None:
    """Write one event for each payload, in their order; else as `announce`."""
    _write(session, ledger_id, kind, zip(ids.new_ids(now, len(payloads)), payloads, strict=True), now)


def announce_recorded(
    session: Session,
    ledger_id: UUID,
    kind: EventType,
    *,
    payloads: Mapping[UUID, Mapping[str, object]],
    now: datetime,
) -> None:
    """Write the event of each row that was recorded, under the row's id, by which `verify` finds the two."""
    _write(session, ledger_id, kind, payloads.items(), now)


def place(dialect: str) -> sa.ColumnElement[int]:
    """Return the expression that draws the next place, for an INSERT; no place is ever drawn twice."""
    if dialect == "sqlite":
        # One writer at a time, and no event is ever removed.
        return sa.literal_column("(SELECT coalesce(max(rowid), 0) + 1 FROM events)", sa.BigInteger())
    return event_places.next_value()


def _write(
    session: Session,
    ledger_id: UUID,
    kind: EventType,
    told: Iterable[tuple[UUID, Mapping[str, object]]],
    now: datetime,
) -> None:
    rows = [
        {"ledger_id": ledger_id, "id": of, "type": kind.value, "payload": payload, "recorded_at": now}
        for of, payload in told
    ]
    if rows:
        session.execute(_insert(upsert.dialect_of(session)), rows)


@functools.cache
def _insert(dialect: str) -> sa.Insert:
    names = ("ledger_id", "id", "type", "payload", "recorded_at")
    values = {name: sa.bindparam(name, type_=events.c[name].type) for name in names}
    return sa.insert(events).values({**values, "place": place(dialect)})
