"""Make every n-th statement or COMMIT of an engine fail as one does that others were in the way of.

PostgreSQL raises the errors itself: instead of the statement, or in a deferred trigger at COMMIT. SQLite's writers
find the lock taken by a second connection when they begin; where it is never busy in earnest, at a later statement or
at COMMIT, the driver's error is raised in its place. Either way the error takes the driver's path through SQLAlchemy.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from myapp.db import unit

# What the session layer says of a unit of work is no statement of its own.
NOT_COUNTED = ("BEGIN;", "BEGIN ISOLATION", "BEGIN READ", "SET LOCAL", "ROLLBACK", "PRAGMA")
# What /readyz asks: it declares one attempt, and a fault is what it is to tell.
OF_READYZ = "SELECT version_num"

STATES = ("40001", "40P01")
INSTEAD = "DO $$ BEGIN RAISE 'injected' USING ERRCODE = '{state}'; END $$"
AT_COMMIT = """
    CREATE TEMPORARY TABLE injected (id integer) ON COMMIT DROP;
    CREATE FUNCTION pg_temp.inject() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'injected' USING ERRCODE = '{state}'; END $$;
    CREATE CONSTRAINT TRIGGER inject AFTER INSERT ON injected DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.inject();
    INSERT INTO injected VALUES (1);
"""


class Faults:
    """Count what an engine does, and let every n-th of it fail."""

    def __init__(self, every: int) -> None:
        self.injected = 0
        # By the name of the database.
        self.injected_at_commit = Counter[str]()
        self._every = every
        self._done = 0
        self._lock = threading.Lock()
        self._states = itertools.cycle(STATES)

    def inject(self, engine: Engine) -> None:
        """Begin with the connections that are made from now on."""
        engine.dispose()
        if engine.dialect.name == "sqlite":
            statements, event_at_end, at_end = self._execute_on_sqlite, "do_connect", self._connect_to_sqlite
        else:
            statements, event_at_end, at_end = self._execute_on_postgresql, "commit", self._commit_on_postgresql
        event.listen(engine, "do_execute", statements)
        event.listen(engine, "do_executemany", statements)
        event.listen(engine, event_at_end, at_end)

    def is_due(self, *, commit_on: str | None = None) -> bool:
        """Count one more, a statement or a COMMIT on this database, and say whether it is to fail."""
        with self._lock:
            self._done += 1
            is_due = self._done % self._every == 0
            self.injected += is_due
            if is_due and commit_on is not None:
                self.injected_at_commit[commit_on] += 1
            return is_due

    def _execute_on_postgresql(self, cursor: Any, statement: str, _parameters: Any, context: Any) -> None:
        is_failed = cursor.connection.info.transaction_status == TransactionStatus.INERROR
        if not is_failed and self._counts(statement, context.root_connection) and self.is_due():
            # Not on the cursor itself, which may be one of the server's.
            cursor.connection.execute(INSTEAD.format(state=next(self._states)))

    def _commit_on_postgresql(self, connection: Connection) -> None:
        # One that only reads can make no trigger.
        if _is_request(connection) and not unit.of(connection).readonly and self.is_due(commit_on="postgresql"):
            connection.connection.driver_connection.execute(AT_COMMIT.format(state=next(self._states)))

    def _execute_on_sqlite(self, cursor: Any, statement: str, _parameters: Any, context: Any) -> bool:
        # The last statement decides for the COMMIT.
        cursor.connection.is_request = _is_request(context.root_connection) and not statement.startswith(OF_READYZ)
        if statement == "BEGIN" or not self._counts(statement, context.root_connection) or not self.is_due():
            return False
        if statement != "BEGIN IMMEDIATE":
            raise busy()
        with closing(sqlite3.connect(str(context.engine.url.database), isolation_level=None, timeout=0)) as other:
            other.execute(statement)
            cursor.execute("PRAGMA busy_timeout = 0")
            cursor.execute(statement)
        return True

    def _connect_to_sqlite(self, _dialect: Any, _entry: Any, _arguments: Any, options: dict[str, Any]) -> None:
        faults = self

        class Faulty(sqlite3.Connection):
            is_request = False

            def commit(self) -> None:
                if self.is_request and self.in_transaction and faults.is_due(commit_on="sqlite"):
                    raise busy()
                super().commit()

        options["factory"] = Faulty

    def _counts(self, statement: str, connection: Connection) -> bool:
        return _is_request(connection) and not statement.startswith((*NOT_COUNTED, OF_READYZ))


def _is_request(connection: Connection) -> bool:
    # Only requests have a deadline, and only they are repeated.
    return unit.of(connection).deadline is not None


def busy() -> sqlite3.OperationalError:
    """Return the driver's error for a database that is busy."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error
