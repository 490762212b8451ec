"""PostgreSQL done right: bounded waits for everything, a name in pg_stat_activity, reads that cannot write.

The driver is told to keep out of transactions; the `begin` listener says what each unit of work is from its first
word, in one transaction with what follows, so that nothing is left behind on a connection that a pooler shares.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.pool import ConnectionPoolEntry

from myapp import settings
from myapp.db import errors, unit
from myapp.db.databases import pooler
from myapp.db.databases.ahead import AheadCursor
from myapp.db.databases.postgresql_connection import BoundedConnection, LeadingCursor
from myapp.db.limits import admission
from myapp.db.telemetry import trace

MILLISECONDS = 1000
STATEMENTS_RAN = "db.statements_ran"
ANNOUNCED_AT = "db.announced_at"

# So much of a deadline may pass before the server is told again what remains of it.
ANNOUNCE_AGAIN_SECONDS = 0.5
# The server ends a statement at the deadline by itself; one that has said nothing by then is given up.
SILENCE_SECONDS = 1.0
IDLE_SECONDS = 10.0

OVER = (
    "This unit of work had already ended, through a database error that was swallowed, rows read ahead that were left "
    "before the last, or a ROLLBACK or COMMIT sent as SQL; what follows would be on its own, and its end only look "
    "like one. Let errors propagate, and wrap what may fail in begin_nested()."
)
NOT_AHEAD = (
    "AHEAD is for one SELECT on the session's connection: session.connection().execute(query, execution_options="
    "scope.AHEAD), without `yield_per` or `stream_results`, which ask for a cursor on the server instead."
)
# A statement for what opens a unit of work to go out with.
KNOCK = ("SELECT %(nothing)s::int", {"nothing": None})
# The driver takes no shorter time for it; a deadline may.
CONNECT_SECONDS_MIN = 2


def engine_arguments(database: settings.Database) -> dict[str, Any]:
    """Return what `create_engine` needs beside the URL."""
    driver: dict[str, Any] = {
        "application_name": database.application_name,
        "connect_timeout": max(CONNECT_SECONDS_MIN, round(database.pool_timeout_seconds)),
    }
    if not database.prepared_statements:
        driver["prepare_threshold"] = None
    return {
        "connect_args": driver,
        # Ours is the one BEGIN.
        "isolation_level": "AUTOCOMMIT",
        "pool_size": database.pool_size,
        # Who finishes what is prepared in a second database has left the line, and must not wait for those in it.
        "max_overflow": 0 if database.second_url is None else database.pool_size,
        "pool_timeout": database.pool_timeout_seconds,
        "pool_use_lifo": True,
    }


def listen(engine: Engine, database: settings.Database) -> None:
    """Begin each unit of work as what it is, hold it to its deadline, and never let COMMIT quietly mean ROLLBACK."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _forget_deadline)
    event.listen(engine, "begin", lambda connection: _begin(connection, database))
    event.listen(engine, "before_cursor_execute", lambda connection, *_: _hold_to_deadline(connection, database))
    event.listen(engine, "before_cursor_execute", _note_options)
    event.listen(engine, "after_cursor_execute", _note_statement)
    event.listen(engine, "commit", _refuse_lost_work)
    event.listen(engine, "checkin", _forget_deadline)
    event.listen(engine, "handle_error", pooler.explain)


def ping(dialect: Dialect, connection: Any) -> None:
    """Ask whether the connection still lives; BEGIN, which comes after, has a bound of its own."""
    by = admission.connect_by()
    answer_by = time.monotonic() + SILENCE_SECONDS
    connection.answer_by = answer_by if by is None else min(answer_by, by.at)
    dialect.do_ping(connection)
    connection.answer_by = math.inf


def has_begun(connection: Any) -> bool:
    """Say whether the driver's connection is inside a transaction, failed or not, or in the middle of a statement."""
    return bool(connection.opening) or _status(connection) in (
        TransactionStatus.ACTIVE,
        TransactionStatus.INTRANS,
        TransactionStatus.INERROR,
    )


def _connect(
    _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: Sequence[Any], options: dict[str, Any]
) -> BoundedConnection:
    by = admission.connect_by()
    connection = BoundedConnection.connect(*arguments, **options)
    # SQLAlchemy asks the first one what server this is.
    connection.answer_by = time.monotonic() + options["connect_timeout"] if by is None else by.at
    return connection


def _begin(connection: Connection, database: settings.Database) -> None:
    """Say what the unit of work is; the driver's connection sends it with the first statement.

    A replica is asked at once, since one that does not answer in time means that another server is to be asked.
    """
    work = unit.of(connection)
    driver: Any = connection.connection.dbapi_connection
    driver.opening = _opening(work, database)
    connection.info.update({STATEMENTS_RAN: False, ANNOUNCED_AT: time.monotonic()})
    until = math.inf if work.deadline is None else work.deadline.at + SILENCE_SECONDS
    if work.begin_seconds < math.inf:
        driver.answer_by = min(until, time.monotonic() + work.begin_seconds)
        connection.exec_driver_sql(*KNOCK)
    driver.answer_by = until


def _opening(work: unit.Unit, database: settings.Database) -> tuple[bytes, bytes]:
    """Return what opens a unit of work: what it is, its parameters, and its bounds as they are now."""
    isolation = work.isolation or database.isolation
    level = "" if isolation is None else f" ISOLATION LEVEL {isolation}"
    # READ WRITE is left unsaid, so that a server or database set to read only keeps its word.
    access = " READ ONLY" if work.readonly else ""
    parameters = _bounds(work, database)
    trace_id = work.report.trace_id
    if trace_id is not None:
        parameters["application_name"] = trace.application_name(database.application_name, trace_id)
    return f"BEGIN{level}{access}".encode(), f"{_lasting(database.parameters)}, {_local(parameters)}".encode()


@functools.cache
def _lasting(parameters: str) -> str:
    """Return what says of every unit of work the same, the beginning of a statement."""
    return "SELECT " + _local({**dict(each.split("=") for each in parameters.split()), "TimeZone": "UTC"})


def _hold_to_deadline(connection: Connection, database: settings.Database) -> None:
    driver: Any = connection.connection.dbapi_connection
    status = _status(driver)
    if status == TransactionStatus.IDLE and not driver.opening:
        raise errors.UnitOfWorkAborted(OVER)
    work = unit.of(connection)
    if work.deadline is None:
        return
    work.deadline.require()
    if time.monotonic() - connection.info[ANNOUNCED_AT] <= ANNOUNCE_AGAIN_SECONDS:
        return
    if driver.opening:
        driver.opening = _opening(work, database)
    elif status == TransactionStatus.INTRANS:
        driver.execute(f"SELECT {_local(_bounds(work, database))}")
    else:
        # In one that failed nothing is heard but the end of a savepoint.
        return
    connection.info[ANNOUNCED_AT] = time.monotonic()


def _note_options(
    connection: Connection, cursor: Any, _text: str, _values: Any, context: ExecutionContext | None, is_many: bool
) -> None:
    """Tell the cursor how its statement is to be run: see `unit.ALONE` and `unit.AHEAD`."""
    options = {} if context is None else context.execution_options
    if options.get(unit.ALONE) and unit.of(connection).readonly:
        cursor.alone = True
    if options.get(unit.AHEAD):
        if is_many or type(cursor) is not LeadingCursor:
            raise errors.SessionMisuse(NOT_AHEAD)
        # SQLAlchemy has made it, and asks for no other.
        cursor.__class__ = AheadCursor


def _bounds(work: unit.Unit, database: settings.Database) -> dict[str, str]:
    """Return the bounds of what follows. Outside a request each statement has the whole time of one."""
    seconds = database.deadline_seconds
    if work.deadline is not None:
        work.deadline.require()
        seconds = work.deadline.remaining()
    bounds = {
        "statement_timeout": seconds,
        "lock_timeout": min(seconds, database.lock_timeout_seconds),
        # Against one that hangs in the middle; so much that it never meets one that is merely slow.
        "idle_in_transaction_session_timeout": max(2 * seconds, seconds + IDLE_SECONDS),
    }
    return {name: str(max(1, math.ceil(bound * MILLISECONDS))) for name, bound in bounds.items()}


def _local(values: Mapping[str, str]) -> str:
    """Return what a SELECT selects to set these for the rest of the transaction."""
    each = "set_config('{}', '{}', true)".format
    return ", ".join([each(name, value.replace("'", "''")) for name, value in values.items()])


def _note_statement(connection: Connection, *_statement: object) -> None:
    connection.info[STATEMENTS_RAN] = True


def _refuse_lost_work(connection: Connection) -> None:
    """Refuse to commit what is over: PostgreSQL answers COMMIT in a failed transaction with ROLLBACK and no error."""
    driver: Any = connection.connection.dbapi_connection
    status = _status(driver)
    if status == TransactionStatus.ACTIVE:
        raise errors.SessionMisuse(
            "A stream() or copy() of the driver's is still open. Read it to its end or leave it, in the unit of work."
        )
    is_over = connection.info[STATEMENTS_RAN] and status == TransactionStatus.IDLE and not driver.opening
    if is_over or status == TransactionStatus.INERROR:
        raise errors.UnitOfWorkAborted(OVER)


def _forget_deadline(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # A connection that was invalidated comes back as None.
    if connection is not None:
        connection.answer_by = math.inf


def _status(connection: Any) -> int:
    """Return the `TransactionStatus`, as a number: this is asked several times a request."""
    status: int = connection.pgconn.transaction_status
    return status
