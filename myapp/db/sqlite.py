"""SQLite done right: WAL, one writer at a time who queues at BEGIN, readers beside it who cannot write.

The driver is told to keep out of transactions; the `begin` listener says what each unit of work is from its first
word. With the driver's own handling two threads lose updates silently, or fail at once despite the time-out.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from myapp import settings
from myapp.db import errors
from myapp.db.options import Options

MILLISECONDS = 1000


def engine_arguments(database: settings.Database) -> dict[str, Any]:
    """Return what `create_engine` needs beside the URL."""
    driver = {"isolation_level": None, "timeout": database.busy_timeout_seconds, "check_same_thread": False}
    return {
        "connect_args": driver,
        "poolclass": sa.QueuePool,
        "pool_size": database.pool_size,
        "max_overflow": 0,
        "pool_timeout": database.pool_timeout_seconds,
    }


def listen(engine: Engine, database: settings.Database) -> None:
    """Set each connection up once, and begin each unit of work as what it is."""
    busy_timeout = round(database.busy_timeout_seconds * MILLISECONDS)

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        # Pragmas do nothing inside a transaction; here none has begun.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        readonly = bool(options.get("db_readonly"))
        timeout_seconds = options.get("db_timeout_seconds")
        timeout = busy_timeout if timeout_seconds is None else round(timeout_seconds * MILLISECONDS)
        # Both pragmas outlive the unit of work on a pooled connection, so each unit sets them for itself.
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {timeout}")
        connection.exec_driver_sql(f"PRAGMA query_only = {int(readonly)}")
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    def refuse_lost_work(connection: Connection) -> None:
        if not has_begun(connection.connection.dbapi_connection):
            raise errors.UnitOfWorkAborted(
                "This unit of work had already ended, through an error that was swallowed (disk full, input/output) or "
                "a ROLLBACK or COMMIT sent as SQL; its end now would only look like one. Let errors propagate."
            )

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", refuse_lost_work)


def has_begun(connection: Any) -> bool:
    """Say whether the driver's connection is inside a transaction."""
    return bool(connection.in_transaction)


def execution_options(declared: Options, *, readonly: bool) -> dict[str, Any]:
    """Return a session's options; SQLite is serializable whatever is asked for."""
    return {"db_readonly": readonly, "db_timeout_seconds": declared.timeout}
