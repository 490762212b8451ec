"""Mark each database error, where it is raised, with what may be done about it.

The marks are read by pyramid_retry and by `errors.translate`. They are set by an engine listener because only there
every error passes, from the view, the flush and the commit alike; an exception view or a commit veto in between does
not hide them. See docs/sessions.md, "Retry".
"""

from __future__ import annotations

import pyramid_retry
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from myapp.db import errors, unit

COMMITTING = "db.committing"

# Whoever finds out by other means that another unit of work was in the way raises this, and is repeated as well.
pyramid_retry.mark_error_retryable(errors.Conflict)


def listen(engine: Engine) -> None:
    """Mark the errors of this engine."""
    event.listen(engine, "commit", _commit_begins)
    event.listen(engine, "rollback", _rollback_begins)
    event.listen(engine, "handle_error", _mark)


def _commit_begins(connection: Connection) -> None:
    connection.info[COMMITTING] = True


def _rollback_begins(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info[COMMITTING] = False


def _mark(context: ExceptionContext) -> None:
    exc = context.sqlalchemy_exception
    if exc is None:
        return
    if _is_outcome_unknown(context):
        exc.outcome_unknown = True  # type: ignore[attr-defined]
    elif errors.is_conflict(exc) or errors.is_busy(exc) or context.is_disconnect:
        # Nothing of a unit of work that failed so is left in the database, so the whole request may run again.
        pyramid_retry.mark_error_retryable(exc)


def _is_outcome_unknown(context: ExceptionContext) -> bool:
    exc = context.sqlalchemy_exception
    if exc is not None and errors.sqlstate(exc) == errors.STATEMENT_COMPLETION_UNKNOWN:
        return True
    connection = context.connection
    if context.statement is not None or not context.is_disconnect or connection is None:
        return False
    # The connection is not invalidated yet, so its notes can still be read.
    return not unit.of(connection).readonly and bool(connection.info.get(COMMITTING))
