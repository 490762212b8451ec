"""A PostgreSQL connection that does not wait for ever.

The server bounds its own work by statement_timeout; nothing bounds a server that has stopped answering (frozen, or cut
off without a word). This connection gives up on it.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any, cast

import psycopg

from myapp.db.limits import admission
from myapp.db.limits.deadline import Deadline

ROLLBACK_SECONDS = 1.0


class PassingCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server that ends with its transaction, read to its end or not."""

    def __del__(self, *_warn: Any) -> None:
        """Say nothing: whoever stops reading lets go of it, and the driver would warn of that."""


class _BoundedLock:
    """The driver's lock on a connection, which nobody waits for longer than the connection has.

    A `stream()` or `copy()` of the driver's holds it until it is read or left. Its own thread would wait for ever.

    Raises:
        psycopg.OperationalError: it was not free in time; the connection is closed.
    """

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = weakref.ref(connection)
        self._lock = threading.Lock()
        self._holder: int | None = None

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._wait()
        self._holder = threading.get_ident()

    def __exit__(self, *_exc_info: object) -> None:
        self._holder = None
        self._lock.release()

    def _wait(self) -> None:
        connection = self._connection()
        by = math.inf if connection is None else connection.answer_by
        seconds = 0.0 if self._holder == threading.get_ident() else max(by - time.monotonic(), 0.0)
        if self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
            return
        if connection is not None:
            connection.close()
        raise psycopg.OperationalError("the connection is busy with a stream() or copy() that was not ended")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server says nothing until `answer_by`, on the monotonic clock.

    Raises:
        psycopg.OperationalError: the server was silent until then; the connection is closed. Or it could not be made
            within the time of the unit of work that asked for it.
    """

    answer_by: float = math.inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.server_cursor_factory = PassingCursor
        self.lock = cast(Any, _BoundedLock(self))

    # Private, hence pinned; the tests of a silent server would notice.
    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, BoundedConnection]:
        """Connect to one of the hosts, as the driver does for each, while the unit of work that asked has time."""
        by = admission.connect_by()
        steps = super()._connect_gen(conninfo)
        return steps if by is None else _until(by, steps)

    def rollback(self) -> None:
        """Roll back; late as this may come, the server has a moment to answer: the connection is good for others."""
        self.answer_by = max(self.answer_by, time.monotonic() + ROLLBACK_SECONDS)
        super().rollback()

    # Every wait of the driver for the server passes here. The name of its time-out is private, hence pinned; the tests
    # of a silent server would notice.
    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Run the driver's generator for as long as there is time."""
        if self.answer_by == math.inf:
            return super().wait(gen, *args, **options)
        seconds = max(self.answer_by - time.monotonic(), 0.0)
        try:
            return super().wait(gen, *args, **options | {"timeout": seconds})
        except psycopg.errors._WaitTimeout as exc:
            # It may answer yet, to a question nobody asks any more: no use to anyone.
            self.close()
            raise psycopg.OperationalError("the server did not answer in time") from exc


def _until(by: Deadline, steps: Generator[Any, Any, BoundedConnection]) -> Generator[Any, Any, BoundedConnection]:
    """Take the steps while there is time; the driver goes on ten times a second, whether the server spoke or not."""
    spoken = None
    while by.remaining() > 0:
        try:
            wanted = steps.send(spoken)
        except StopIteration as done:
            made: BoundedConnection = done.value
            return made
        spoken = yield wanted
    raise psycopg.errors.ConnectionTimeout("no connection could be made in time")
