"""The session: one unit of work, owned by a request or a scope, on one thread, and dead after it.

A `UnitOfWorkSession` is an ordinary SQLAlchemy session that also knows whose it is. Only its owner may end it; any use
after that, or from another thread, is an error that names the owner.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, NoReturn

from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction

from myapp.db import errors
from myapp.db.limits import admission
from myapp.db.limits.admission import Turn
from myapp.db.telemetry.report import Phase
from myapp.db.unit import OPTION, Unit

log = logging.getLogger(__name__)


class UnitOfWorkSession(Session):
    """A session whose owner alone ends it.

    Raises:
        SessionEnded: any use after the owner ended it.
        SessionThread: any use from a thread other than the one that made it.
        SessionOwned: `commit()` or `rollback()` by anyone but the owner; `commit()` also on the session's transaction
            or connection.
    """

    def __init__(self, bind: Any = None, *, owner: str = "a script", unit: Unit | None = None, **options: Any) -> None:
        unit = Unit() if unit is None else unit
        super().__init__(bind, execution_options={OPTION: unit}, **options)
        self.owner = owner
        self.unit = unit
        unit.may_commit = False
        self.ended = False
        self._thread = threading.get_ident()
        self._turn: Turn | None = None

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        """Return the engine, as every statement asks before it runs; so here use is guarded, and the first one waits.

        Raises:
            Overloaded: more units of work want a connection than can be served.
            DeadlineExceeded: none was free before the deadline.
        """
        self._guard()
        bind = super().get_bind(*args, **kwargs)
        return self._enter(bind) if self._turn is None else bind

    # Private in SQLAlchemy, hence pinned and tested: everything that is no statement (add, delete, flush, begin)
    # passes here before it changes anything.
    def _autobegin_t(self, begin: bool = False) -> SessionTransaction:
        self._guard()
        return super()._autobegin_t(begin)

    def commit(self) -> NoReturn:
        """Refuse: the owner commits, once, at the end."""
        self._guard()
        raise errors.SessionOwned(
            f"commit() was called on the session of {self.owner}. A unit of work is committed whole at its end, by its "
            "owner; use flush() to send what is pending, begin_nested() for a part that may fail."
        )

    def rollback(self) -> NoReturn:
        """Refuse: an error rolls back, or a part of the work did in `begin_nested()`."""
        self._guard()
        raise errors.SessionOwned(
            f"rollback() was called on the session of {self.owner}. Raise an error to undo the whole unit of work, or "
            "wrap what may fail in begin_nested() to undo a part."
        )

    def flush(self, objects: Any = None) -> None:
        """Send what is pending to the database."""
        self._guard()
        super().flush(objects)

    def close(self) -> None:
        """End the session; whatever was not committed is rolled back. May be called again."""
        self.ended = True
        try:
            super().close()
        except sa_exc.DBAPIError as exc:
            if not exc.connection_invalidated:
                raise
            # With the connection went all that there was to roll back.
            log.info("the connection of the session of %s was lost before its end: %s", self.owner, exc.orig)
        finally:
            self.unit.report.enter(Phase.ELSEWHERE)
            self._leave()

    def __del__(self) -> None:
        """Give back what a session that nobody closed still holds, or its place in the line would be lost for good."""
        turn: Turn | None = getattr(self, "_turn", None)
        if turn is not None:
            log.warning("The session of %s was dropped and never closed; its work is undone.", self.owner)
            turn.end()

    def _enter(self, bind: Engine | Connection) -> Engine | Connection:
        """Wait for a turn at this engine, and return the one to use from now on."""
        lines = admission.of(bind)
        if lines is not None:
            self.unit.report.enter(Phase.POOL)
            self._turn = lines.enter(self.unit)
        return bind

    def _leave(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()

    def _guard(self) -> None:
        if self.ended:
            raise errors.SessionEnded(
                f"The session of {self.owner} was used after its end, or after somebody closed it. Load what is needed "
                "while it lives, leave its end to its owner, or open one of your own with session_scope()."
            )
        if self._thread != threading.get_ident():
            raise errors.SessionThread(
                f"The session of {self.owner} was used from another thread. A session is one unit of work on one "
                "thread; open one there with session_scope()."
            )
