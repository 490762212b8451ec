"""Sessions outside requests, and work that is never meant to stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from myapp.db import engine, options
from myapp.db.factory import Sessions
from myapp.db.session import UnitOfWorkSession


@contextmanager
def session_scope(
    sessions: Sessions, *, readonly: bool = False, owner: str = "a session_scope()"
) -> Iterator[UnitOfWorkSession]:
    """Open a session for one unit of work: commit at the end, roll back on error, always close.

    A connection is taken at the first statement, not before.
    """
    declared = options.Options(readonly=readonly)
    dialect = sessions.kw["bind"].dialect.name
    session = sessions(owner=owner, execution_options=engine.execution_options(declared, "", dialect))
    try:
        with session.begin():
            yield session
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
