"""Events of what a desk recorded, numbered."""

from __future__ import annotations

import sqlalchemy as sa

from myapp.db import scope
from myapp.ledger import operations, tables
from tests.integration.ledger.desk import Desk

events = tables.events


def number(desk: Desk) -> int:
    """Give each event its number, and return the last one."""
    with scope.session_scope(desk.sessions, isolation=operations.NUMBERING_ISOLATION) as session:
        operations.number_events(session, desk.ledger.id)
        return session.scalar(sa.select(sa.func.max(events.c.seq)).where(events.c.ledger_id == desk.ledger.id)) or 0
