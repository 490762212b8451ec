"""Change a ledger: its metadata, and the start of its open period."""

# Note [Closing a period]
# Nothing that counts before the start of the open period is recorded once its closing is acknowledged, although
# recording reads the ledger without a lock. Whoever records for a past time shares a lock on the ledger's row until it
# commits, so a change of the period waits for those before it and holds up those after it. What is recorded for the
# present needs none: the present is not past when it is recorded. A period that is closed into the future is therefore
# strict only for what is recorded for a past time; all else may overlap with the closing by the moment it takes.

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, ids, queries
from myapp.ledger.events import writing
from myapp.ledger.model import EventType, Ledger, LedgerChange, LedgerDetails
from myapp.ledger.tables import ledgers


def change_ledger(
    session: Session, ledger: Ledger, change: LedgerChange, *, expected_version: int | None, now: datetime
) -> LedgerDetails:
    """Change a ledger's metadata or the start of its open period, which may move either way.

    Raises:
        PreconditionFailed: its version is not the expected one.
    """
    is_it = ledgers.c.id == ledger.id
    version = session.scalar(sa.select(ledgers.c.version).where(is_it).with_for_update())
    if expected_version not in (None, version):
        raise errors.PreconditionFailed(f"{ledger.name} has version {version}, not {expected_version}.")
    changed: dict[str, Any] = {"version": ledgers.c.version + 1}
    if change.metadata is not None:
        changed["metadata"] = change.metadata
    if change.moves_period:
        changed["locked_before"] = change.locked_before
    session.execute(sa.update(ledgers).where(is_it).values(changed))
    changed_ledger = queries.get_ledger(session, ledger.name)
    locked_before = changed_ledger.locked_before
    payload = {
        "name": changed_ledger.name,
        "metadata": changed_ledger.metadata,
        "locked_before": None if locked_before is None else locked_before.isoformat(),
        "version": changed_ledger.version,
    }
    writing.announce(session, ledger.id, EventType.LEDGER_CHANGED, id=ids.new_id(now), payload=payload, now=now)
    return changed_ledger
