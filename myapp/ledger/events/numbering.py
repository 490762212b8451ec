"""Number the events of a ledger once they are visible. See Note [The order of events].

The lock is one on the ledger's row that no foreign key conflicts with, and nothing that records takes it.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.tables import events, ledgers

# So many take some tens of milliseconds, for which the lock is held.
PORTION = 1_000

# Whatever the service runs at: what is numbered has to be read after the lock was taken, by a snapshot of its own.
# At a stricter level the constraint on (ledger_id, seq) would still let nothing wrong happen, but by an error.
ISOLATION = "READ COMMITTED"

_OF_LEDGER = events.c.ledger_id == sa.bindparam("of_ledger")
_IS_UNNUMBERED = sa.and_(_OF_LEDGER, events.c.seq.is_(None))

LOCK = sa.select(ledgers.c.id).where(ledgers.c.id == sa.bindparam("of_ledger")).with_for_update(key_share=True)
LAST = sa.select(sa.func.max(events.c.seq)).where(_OF_LEDGER)
NEXT = sa.select(events.c.id).where(_IS_UNNUMBERED).order_by(events.c.place, events.c.id).limit(sa.bindparam("portion"))
# Not `IS NULL`, for which PostgreSQL may go through the index of all that have no number, once for each of them.
NUMBER = (
    sa.update(events)
    .where(_OF_LEDGER, events.c.id == sa.bindparam("of_event"), sa.func.coalesce(events.c.seq, 0) == 0)
    .values(seq=sa.bindparam("next_seq", type_=events.c.seq.type))
)


def number(session: Session, ledger_id: UUID, *, portion: int = PORTION) -> int:
    """Give the next events their numbers, without a gap, and return how many; fewer than a portion were all there were.

    The unit of work is one of its own, at `ISOLATION`: a lock that is held for longer makes other readers wait.
    """
    session.execute(LOCK, {"of_ledger": ledger_id}).all()
    # A statement of its own, so that it sees what was committed while this one waited for the lock.
    ids = session.scalars(NEXT, {"of_ledger": ledger_id, "portion": portion}).all()
    if not ids:
        return 0
    last = session.scalar(LAST, {"of_ledger": ledger_id}) or 0
    # By key, one by one. See Note [Plans for a new ledger] in queries/__init__.py.
    session.execute(
        NUMBER,
        [{"of_ledger": ledger_id, "of_event": each, "next_seq": last + nth} for nth, each in enumerate(ids, start=1)],
    )
    return len(ids)
