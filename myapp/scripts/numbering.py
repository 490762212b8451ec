"""Give a ledger's events their numbers before what goes by them."""

from __future__ import annotations

from myapp.db import factory
from myapp.db.scope import session_scope
from myapp.ledger import model, operations


def number_all(sessions: factory.Sessions, ledger: model.Ledger) -> None:
    """Number the events there are, a portion in each unit of work."""
    is_more = True
    while is_more:
        with session_scope(sessions, isolation=operations.NUMBERING_ISOLATION) as session:
            is_more = operations.number_events(session, ledger.id) > 0
