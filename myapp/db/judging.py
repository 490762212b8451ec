"""Note on each database error, where it is raised, what it means, and put the domain's own error in place of some.

`errors` says what a code means; only here is known what was going on: whether COMMIT was under way, whether the unit
of work had any time left. Both are set by an engine listener because only there every error passes, from the view, the
flush and the commit alike; an exception view or a commit veto in between does not hide them.
"""

from __future__ import annotations

import sqlite3

import pyramid_retry
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from myapp.db import constraints, errors, unit
from myapp.db.limits import admission

COMMITTING = "db.committing"

# A wait that was cut to fit what remained of the time may end a little before it.
ROUNDING_SECONDS = 0.02

# Some are known by their class alone, and raised without a connection.
for _class, _meaning in errors.CLASSES:
    if _meaning.is_retryable:
        pyramid_retry.mark_error_retryable(_class)


def listen(engine: Engine) -> None:
    """Judge the errors of this engine."""
    event.listen(engine, "begin", _unit_begins)
    event.listen(engine, "commit", _commit_begins)
    event.listen(engine, "rollback", _unit_begins)
    event.listen(engine, "handle_error", _note)
    constraints.listen(engine)


def _commit_begins(connection: Connection) -> None:
    connection.info[COMMITTING] = True


def _unit_begins(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info[COMMITTING] = False


def _note(context: ExceptionContext) -> None:
    exc = context.sqlalchemy_exception
    if exc is None:
        return
    meaning = _judge(context, exc)
    errors.note(exc, meaning)
    if meaning is not None and meaning.is_retryable:
        # Nothing of a unit of work that failed so is left in the database, so the whole request may run again.
        pyramid_retry.mark_error_retryable(exc)


def _judge(context: ExceptionContext, exc: BaseException) -> errors.Meaning | None:
    meaning = errors.LOST if context.is_disconnect else errors.look_up(exc)
    if meaning is None:
        return None
    work = None if context.connection is None else unit.find(context.connection)
    if work is not None and work.readonly and meaning.error is errors.ReadOnly:
        # It was told that it may not write, and tried.
        return None
    if _is_in_doubt(context, exc):
        return errors.UNKNOWN
    until = admission.connect_by() if work is None else work.deadline
    if until is None:
        return meaning
    is_over = until.remaining() <= ROUNDING_SECONDS
    if meaning.error is errors.Unavailable and is_over:
        return errors.LATE
    if meaning.error is errors.DeadlineExceeded and not is_over:
        # Somebody else ended the statement.
        return errors.CANCELLED
    return meaning


def _is_in_doubt(context: ExceptionContext, exc: BaseException) -> bool:
    """Say whether COMMIT was under way, and failed in a way that leaves open whether it was done."""
    connection = context.connection
    if context.statement is not None or connection is None or unit.of(connection).readonly:
        return False
    if not context.is_disconnect and errors.sqlite_code(exc) != sqlite3.SQLITE_IOERR:
        return False
    # The connection is not invalidated yet, so its notes can still be read.
    return bool(connection.info.get(COMMITTING))
