"""How far a ledger was verified: all up to this event held together, and the next run goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import upsert
from myapp.ledger.model import Ledger
from myapp.ledger.tables import events, verify_checkpoints


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last event that was verified; none, before the first one."""

    last_seq: int
    event_id: UUID | None


BEGINNING = Checkpoint(0, None)


def find(session: Session, ledger: Ledger) -> Checkpoint:
    """Return where the last run came to."""
    table = verify_checkpoints
    query = sa.select(table.c.last_seq, table.c.event_id).where(table.c.ledger_id == ledger.id)
    row = session.execute(query).one_or_none()
    return BEGINNING if row is None else Checkpoint(row.last_seq, row.event_id)


def newest(session: Session, ledger: Ledger) -> Checkpoint:
    """Return the checkpoint at the newest event that has a number."""
    query = sa.select(events.c.seq, events.c.id).where(events.c.ledger_id == ledger.id, events.c.seq.is_not(None))
    row = session.execute(query.order_by(events.c.seq.desc()).limit(1)).one_or_none()
    return BEGINNING if row is None else Checkpoint(row.seq, row.id)


def save(session: Session, ledger: Ledger, checkpoint: Checkpoint, *, now: datetime) -> None:
    """Remember a checkpoint; one that is further on already stays."""
    insert = upsert.insert(upsert.dialect_of(session), verify_checkpoints).values(
        ledger_id=ledger.id, last_seq=checkpoint.last_seq, event_id=checkpoint.event_id, verified_at=now
    )
    new = insert.excluded
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["ledger_id"],
            set_={name: new[name] for name in ("last_seq", "event_id", "verified_at")},
            where=verify_checkpoints.c.last_seq <= new.last_seq,
        )
    )
