"""Record in one statement on plain PostgreSQL: one round trip for one transaction and for ten thousand.

The text of the statement never changes, so the driver prepares it; what changes goes in as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from myapp.ledger.recording.request import Place, Request


def record(session: Session, request: Request) -> Sequence[Place] | None:
    raise NotImplementedError
