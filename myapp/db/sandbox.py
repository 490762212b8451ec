"""Sessions for tests: the real tween, the real transaction manager, the real commit path, and nothing left behind.

    with sandbox(engine) as sessions:
        app.registry["db.sessions"] = sessions      # requests now run inside one outer database transaction

Each unit of work is a savepoint of that outer transaction; its commit releases the savepoint, its abort rolls back to
it, and leaving the block rolls everything back. Reads are read-only here as well. What only a real COMMIT shows
(deferred constraints, serialization failures) needs a test that commits for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import SessionTransaction

from myapp.db import factory
from myapp.db.factory import Sessions
from myapp.db.session import UnitOfWorkSession


class SandboxedSession(UnitOfWorkSession):
    """A unit of work as a savepoint; it declares itself read-only where an ordinary one does so at BEGIN."""


@contextmanager
def sandbox(engine: Engine) -> Iterator[Sessions]:
    """Open an outer transaction and lend a session factory inside it; roll all of it back on leaving."""
    with engine.connect() as connection:
        outer = connection.begin()
        try:
            yield factory.build(connection, SandboxedSession)
        finally:
            outer.rollback()


def _declare_readonly(session: SandboxedSession, _transaction: SessionTransaction, connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA query_only = {int(session.unit.readonly)}")
    elif session.unit.readonly:
        # PostgreSQL takes this back itself when the savepoint ends.
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


event.listen(SandboxedSession, "after_begin", _declare_readonly)
