"""SQLite done right: WAL, one writer at a time who queues at BEGIN, readers beside it who cannot write.

The driver is told to keep out of transactions; the `begin` listener says what each unit of work is from its first
word. With the driver's own handling two threads lose updates silently, or fail at once despite the time-out.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from myapp import settings
from myapp.db import errors, unit
from myapp.db.limits import admission

MILLISECONDS = 1000
UNTIL = "db.until"
OPENED = "db.opened"
# A statement is asked about its deadline each time it has run so many steps of SQLite's machine, a few milliseconds.
STEPS_BETWEEN_LOOKS = 100_000


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
    """Set each connection up once, begin each unit of work as what it is, and hold it to its deadline."""
    event.listen(engine, "do_connect", _File(engine.url.database or "").require)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", lambda connection: _begin(connection, database))
    event.listen(engine, "before_cursor_execute", _hold_to_deadline)
    event.listen(engine, "commit", _refuse_lost_work)
    event.listen(engine, "checkin", _forget_deadline)


def ping(dialect: Dialect, connection: Any) -> None:
    """Ask whether the connection still lives."""
    dialect.do_ping(connection)


def has_begun(connection: Any) -> bool:
    """Say whether the driver's connection is inside a transaction."""
    return bool(connection.in_transaction)


class _File:
    """The database's file, which must be there once it was: SQLite would make a new one without a word."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._was_there = False

    def require(self, *_connecting: object) -> None:
        """Go on only if there is the file, or never was one."""
        if self._was_there and not Path(self._path).exists():
            missing = sqlite3.OperationalError("unable to open database file: it was removed")
            missing.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise missing
        self._was_there = self._was_there or Path(self._path).exists()


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from any other that has its name later; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at each beginning, and a Path would take several times as long
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    by = admission.connect_by()
    if by is not None:
        cursor.execute(f"PRAGMA busy_timeout = {max(1, round(by.remaining() * MILLISECONDS))}")
    # Pragmas do nothing inside a transaction; here none has begun.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    entry.info.pop(OPENED, None)
    info, driver = entry.info, cast(sqlite3.Connection, connection)
    driver.set_progress_handler(lambda: time.monotonic() > info.get(UNTIL, math.inf), STEPS_BETWEEN_LOOKS)


def _begin(connection: Connection, database: settings.Database) -> None:
    connection.info.pop(UNTIL, None)
    _require_file(connection)
    work = unit.of(connection)
    seconds = database.busy_timeout_seconds
    if work.deadline is not None:
        work.deadline.require()
        seconds = min(seconds, work.deadline.remaining())
    # Both pragmas outlive the unit of work on a pooled connection, so each unit sets them for itself; past SQLAlchemy,
    # which would take longer over them than over the rest of the beginning, and has no error to judge here.
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    driver.execute(f"PRAGMA busy_timeout = {max(1, round(seconds * MILLISECONDS))}")
    driver.execute(f"PRAGMA query_only = {int(work.readonly)}")
    connection.exec_driver_sql("BEGIN" if work.readonly else "BEGIN IMMEDIATE")
    connection.info[UNTIL] = math.inf if work.deadline is None else work.deadline.at


def _require_file(connection: Connection) -> None:
    """Refuse to work on a file that was removed: what is written there is gone with the process.

    Raises:
        Unavailable: it was; where there is another one in its place, the next connection opens that.
    """
    found = _identity(connection.engine.url.database or "")
    if connection.info.setdefault(OPENED, found) == found:
        return
    if found is not None:
        connection.invalidate()
    raise errors.Unavailable("The database's file was removed or replaced.")


def _hold_to_deadline(connection: Connection, *_statement: object) -> None:
    # What has no bound yet is BEGIN itself.
    if UNTIL in connection.info:
        _refuse_lost_work(connection)
    deadline = unit.of(connection).deadline
    if deadline is not None:
        deadline.require()


def _refuse_lost_work(connection: Connection) -> None:
    if not has_begun(connection.connection.dbapi_connection):
        raise errors.UnitOfWorkAborted(
            "This unit of work had already ended, through an error that was swallowed (disk full, input/output) or a "
            "ROLLBACK or COMMIT sent as SQL; what follows would be on its own, and its end only look like one. Let "
            "errors propagate."
        )


def _forget_deadline(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info.pop(UNTIL, None)
