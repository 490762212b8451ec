"""Fill in the report of each unit of work: listeners on the engine and on the class of sessions, none per session.

Note [Whose statements]
What the session layer sends on its own account goes past SQLAlchemy with the driver, or is sent from within a listener
(SQLite's BEGIN, the first word to a replica), while something that is measured is under way already. So a statement of
the application's is one that begins at depth 0. The time of the others is database time all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from myapp.db.session import UnitOfWorkSession
from myapp.db.telemetry.report import Phase, Report
from myapp.db.unit import OPTION, Unit


@contextmanager
def around(engine: Engine) -> Iterator[None]:
    """Measure the units of work of this engine. What listeners added meanwhile do belongs to what they listen to."""
    event.listen(engine, "begin", _begin_starts)
    event.listen(engine, "before_cursor_execute", _statement_starts)
    event.listen(engine, "commit", _commit_starts)
    event.listen(engine, "rollback", _rollback_starts)
    yield
    event.listen(engine, "begin", _begin_ends)
    event.listen(engine, "after_cursor_execute", _statement_ends)
    event.listen(engine, "handle_error", _fails)


def _of(connection: Connection) -> Report | None:
    # As unit.find does, without a call more: this is asked half a dozen times a request.
    found: Unit | None = connection.get_execution_options().get(OPTION)
    return None if found is None else found.report


def _begin_starts(connection: Connection) -> None:
    report = _of(connection)
    if report is not None:
        report.began = True
        report.depth = 1
        report.enter(Phase.DATABASE)


def _begin_ends(connection: Connection) -> None:
    report = _of(connection)
    if report is not None:
        report.depth = 0
        report.enter(Phase.ELSEWHERE)


def _statement_starts(connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
    report = _of(connection)
    if report is not None:
        if report.depth == 0:
            report.note(text)
            report.enter(Phase.DATABASE)
        report.depth += 1


def _statement_ends(connection: Connection, cursor: Any, *_rest: Any) -> None:
    report = _of(connection)
    if report is not None:
        report.depth -= 1
        if report.depth == 0:
            report.enter(Phase.ELSEWHERE)
            # Below zero where the driver does not know yet.
            report.rows += max(cursor.rowcount, 0)


def _commit_starts(connection: Connection) -> None:
    report = _of(connection)
    if report is not None:
        report.enter(Phase.COMMIT)


def _commit_ends(session: UnitOfWorkSession) -> None:
    # Called at the end of a savepoint as well, which is a statement and no COMMIT.
    if session.unit.report.leave(Phase.COMMIT):
        session.unit.report.committed = True


def _rollback_starts(connection: Connection) -> None:
    report = _of(connection)
    if report is not None:
        report.enter(Phase.DATABASE)


def _fails(context: ExceptionContext) -> None:
    report = None if context.connection is None else _of(context.connection)
    if report is not None:
        report.depth = 0
        report.enter(Phase.ELSEWHERE)


event.listen(UnitOfWorkSession, "after_commit", _commit_ends)
