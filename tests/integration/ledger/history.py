"""Events of what a desk recorded, numbered."""

from __future__ import annotations

import sqlalchemy as sa

from myapp.ledger import tables
from tests.integration.ledger.desk import Desk

events = tables.events


def number(desk: Desk) -> int:
    """Give each event its number, and return the last one."""
    is_its = events.c.ledger_id == desk.ledger.id
    with desk.at_work() as session:
        last = session.scalar(sa.select(sa.func.max(events.c.seq)).where(is_its)) or 0
        unnumbered = sa.select(events.c.id).where(is_its, events.c.seq.is_(None))
        for event_id in session.scalars(unnumbered.order_by(events.c.place)).all():
            last += 1
            session.execute(sa.update(events).where(is_its, events.c.id == event_id).values(seq=last))
    return last
