"""Read the events of a ledger in the order of their numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Event, EventType, Ledger

events = tables.events

# Numbers have no gaps, so this many are looked at and no more, however few of them are asked for.
LOOKED_AT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events in the order of their numbers, and the number up to which was looked."""

    events: Sequence[Event]
    until: int
    may_be_more: bool


def has_unnumbered_events(session: Session, ledger: Ledger) -> bool:
    """Say whether there are events that are visible and have no number yet."""
    query = sa.select(events.c.id).where(events.c.ledger_id == ledger.id, events.c.seq.is_(None)).limit(1)
    return session.execute(query).one_or_none() is not None


def last_event_seq(session: Session, ledger: Ledger) -> int:
    """Return the number of the last event that has one, 0 where there is none."""
    return session.scalar(sa.select(sa.func.max(events.c.seq)).where(events.c.ledger_id == ledger.id)) or 0


def list_events(
    session: Session, ledger: Ledger, *, after: int, limit: int, types: Collection[EventType] = ()
) -> EventPage:
    """List events from the one after `after`, of these types or of all.

    Shape: a transaction's event has no payload; the transaction has the event's id. With types at most
    `LOOKED_AT_MAX` events are looked at.
    """
    query = sa.select(events).where(events.c.ledger_id == ledger.id, events.c.seq > after)
    last = until = after
    if types:
        # Asked first, so that all up to it are seen.
        last = max(last_event_seq(session, ledger), after)
        until = min(last, after + LOOKED_AT_MAX)
        query = query.where(events.c.seq <= until, events.c.type.in_(sorted(kind.value for kind in types)))
    rows = session.execute(query.order_by(events.c.seq).limit(limit)).all()
    if rows and (not types or len(rows) == limit):
        until = rows[-1].seq
    may_be_more = len(rows) == limit or until < last
    return EventPage(events=[_event(row) for row in rows], until=until, may_be_more=may_be_more)


def _event(row: AnyRow) -> Event:
    return Event(seq=row.seq, id=row.id, type=EventType(row.type), recorded_at=row.recorded_at, payload=row.payload)
