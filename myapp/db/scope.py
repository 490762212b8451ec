"""Sessions outside requests, and work that is never meant to stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from myapp.db.factory import Sessions
from myapp.db.limits import deadline
from myapp.db.session import UnitOfWorkSession
from myapp.db.unit import AHEAD as AHEAD_OPTION
from myapp.db.unit import ALONE as ALONE_OPTION
from myapp.db.unit import Unit

# Execution options of a read that need not see the same moment as others of its unit of work: see `unit.ALONE`.
ALONE = {ALONE_OPTION: True}
# Execution options of a read of very many rows, executed on the session's connection: see `unit.AHEAD`.
AHEAD = {AHEAD_OPTION: True}


@contextmanager
def session_scope(
    sessions: Sessions,
    *,
    readonly: bool = False,
    isolation: str | None = None,
    timeout_seconds: float | None = None,
    primary: bool = True,
    owner: str = "a session_scope()",
) -> Iterator[UnitOfWorkSession]:
    """Open a session for one unit of work: commit at the end, roll back on error, always close.

    A connection is taken at the first statement, not before. `timeout_seconds` bounds all of it; else each statement
    may take as long as a request, and on SQLite longer. With `primary=False` one that only reads may see the past, on
    a replica.
    """
    within = None if timeout_seconds is None else deadline.after(timeout_seconds)
    unit = Unit(readonly=readonly, isolation=isolation, deadline=within, primary=primary)
    with unit_of_work(sessions, unit, owner=owner) as session:
        yield session


@contextmanager
def unit_of_work(sessions: Sessions, unit: Unit, *, owner: str) -> Iterator[UnitOfWorkSession]:
    """Open a session for a unit of work that was described elsewhere."""
    session = sessions(owner=owner, unit=unit)
    try:
        with session.begin():
            yield session
            session.unit.may_commit = True
    finally:
        session.close()


@contextmanager
def discarded(session: Session) -> Iterator[None]:
    """Undo on leaving whatever the block did, and keep the unit of work around it."""
    savepoint = session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
