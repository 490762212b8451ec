"""PostgreSQL done right: bounded waits for everything, a name in pg_stat_activity, reads that cannot write."""

from __future__ import annotations

from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import errors
from myapp.db.options import Options

MILLISECONDS = 1000
STATEMENTS_RAN = "db.statements_ran"


def engine_arguments(database: settings.Database) -> dict[str, Any]:
    """Return what `create_engine` needs beside the URL."""
    waits = {
        "lock_timeout": database.lock_timeout_seconds,
        "statement_timeout": database.statement_timeout_seconds,
        "idle_in_transaction_session_timeout": 2 * database.statement_timeout_seconds,
    }
    options = " ".join(f"-c {name}={round(seconds * MILLISECONDS)}" for name, seconds in waits.items())
    return {
        "connect_args": {
            "application_name": database.application_name,
            "connect_timeout": max(2, round(database.pool_timeout_seconds)),
            "options": f"{options} -c TimeZone=UTC",
        },
        "isolation_level": database.isolation or "READ COMMITTED",
        "pool_size": database.pool_size,
        "max_overflow": 0,
        "pool_timeout": database.pool_timeout_seconds,
        "pool_use_lifo": True,
    }


def listen(engine: Engine, _database: settings.Database) -> None:
    """Give units of work their own time-out, and never let COMMIT quietly mean ROLLBACK."""

    def begin(connection: Connection) -> None:
        connection.info[STATEMENTS_RAN] = False
        seconds = connection.get_execution_options().get("db_timeout_seconds")
        if seconds is not None:
            milliseconds = round(seconds * MILLISECONDS)
            connection.exec_driver_sql(
                f"SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {milliseconds}"
            )

    def note_statement(connection: Connection, *_statement: object) -> None:
        connection.info[STATEMENTS_RAN] = True

    # PostgreSQL answers COMMIT in a failed transaction with ROLLBACK and no error at all.
    def refuse_lost_work(connection: Connection) -> None:
        status = _status(connection.connection.dbapi_connection)
        is_over = connection.info[STATEMENTS_RAN] and status == TransactionStatus.IDLE
        if is_over or status == TransactionStatus.INERROR:
            raise errors.UnitOfWorkAborted(
                "This unit of work had already ended, through a database error that was swallowed or a ROLLBACK or "
                "COMMIT sent as SQL; its end now would only look like one. Let errors propagate, and wrap what may "
                "fail in begin_nested()."
            )

    event.listen(engine, "begin", begin)
    event.listen(engine, "after_cursor_execute", note_statement)
    event.listen(engine, "commit", refuse_lost_work)


def has_begun(connection: Any) -> bool:
    """Say whether the driver's connection is inside a transaction, failed or not."""
    return _status(connection) in (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def execution_options(declared: Options, *, readonly: bool) -> dict[str, Any]:
    """Return a session's options; the driver resets them when the connection goes back."""
    chosen: dict[str, Any] = {}
    if readonly:
        chosen["postgresql_readonly"] = chosen["db_readonly"] = True
    if declared.isolation is not None:
        chosen["isolation_level"] = declared.isolation
    if declared.timeout is not None:
        chosen["db_timeout_seconds"] = declared.timeout
    return chosen


def _status(connection: Any) -> TransactionStatus:
    status: TransactionStatus = connection.info.transaction_status
    return status
