"""A PostgreSQL connection that does not wait for ever, and begins a unit of work without a round trip of its own.

The server bounds its own work by statement_timeout; nothing bounds a server that has stopped answering (frozen, or cut
off without a word). This connection gives up on it.

What opens a unit of work (BEGIN, its bounds) goes out with its first statement, in one pipeline of the driver's.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Generator, Sequence
from typing import Any, cast

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus, TransactionStatus

from myapp.db.limits import admission
from myapp.db.limits.deadline import Deadline

ROLLBACK_SECONDS = 1.0
# Of one statement; what has more is refused by libpq, which leaves a pipeline in its middle.
PARAMETERS_MAX = 65_535


class PassingCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server that ends with its transaction, read to its end or not."""

    def __del__(self, *_warn: Any) -> None:
        """Say nothing: whoever stops reading lets go of it, and the driver would warn of that."""


class _OneTrip(psycopg.Pipeline):
    """A pipeline that sends all it was given in one go, at its end; the driver's own sends each statement by itself."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        # Its cursor holds the lock.
        super().__init__(connection, _no_lock=True)

    # What is private here is pinned, and a test counts what is sent.
    def _communicate_gen(self) -> Generator[Any, Any, None]:
        """Send nothing yet."""
        yield from ()

    def _exit_gen(self) -> Generator[Any, Any, None]:
        self._enqueue_sync()
        while self.command_queue:
            self.command_queue.popleft()()
        yield from generators.send(self.pgconn)
        yield from self._fetch_gen(flush=False)


class LeadingCursor(psycopg.Cursor[Any]):
    """A cursor whose statement takes along what opens its unit of work, if that has not been sent yet.

    A statement that is `alone` takes along its COMMIT as well; what follows begins anew.
    """

    alone = False

    # Private, hence pinned.
    def _execute_gen(self, query: Any, params: Any = None, **options: Any) -> Generator[Any, Any, None]:
        """Run the statement; with what is to be said before it, in one round trip."""
        connection = cast("BoundedConnection", self.connection)
        opening = connection.opening
        # Without parameters the text may hold several statements, which a pipeline does not take.
        is_fit = opening and params and len(params) <= PARAMETERS_MAX and connection._pipeline is None
        if not is_fit:
            yield from super()._execute_gen(query, params, **options)
            return
        pipeline = connection._pipeline = _OneTrip(connection)
        is_sent = is_done = False
        try:
            yield from pipeline._enter_gen()
            yield from super()._execute_gen(query, params, **options)
            if self.alone:
                yield from connection._exec_command(b"COMMIT")
            is_sent = True
            yield from pipeline._exit_gen()
            is_done = True
        finally:
            connection.leave(pipeline, is_done=is_done)
            if not is_sent or (self.alone and is_done):
                connection.opening = opening


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
    # The statements that open a unit of work, until the first of its own is about to be sent.
    opening: Sequence[bytes] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = LeadingCursor
        self.server_cursor_factory = PassingCursor
        self.lock = cast(Any, _BoundedLock(self))

    # Private, hence pinned; the tests of a silent server would notice.
    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, BoundedConnection]:
        """Connect to one of the hosts, as the driver does for each, while the unit of work that asked has time."""
        by = admission.connect_by()
        steps = super()._connect_gen(conninfo)
        return steps if by is None else _until(by, steps)

    def leave(self, pipeline: psycopg.Pipeline, *, is_done: bool) -> None:
        """Go on without the pipeline, whose statements were all answered unless it is not done."""
        self._pipeline = None
        try:
            pipeline._exit(None)
        except psycopg.Error:
            # In the middle of it: no use to anyone.
            self.close()
        if not is_done and self.pgconn.transaction_status == TransactionStatus.IDLE:
            # BEGIN failed. What was to be prepared behind it was not, and no rollback will tell the driver.
            self._prepared.clear()

    # Private, hence pinned: each cursor of any kind passes here before it sends its statement.
    def _start_query(self) -> Generator[Any, Any, None]:
        """Send what opens the unit of work, or put it before the statement where a pipeline takes both."""
        opening, self.opening = self.opening, ()
        if opening and self._pipeline is not None:
            for statement in opening:
                yield from self._exec_command(statement)
        elif opening:
            self.pgconn.send_query(b"; ".join(opening))
            for result in (yield from generators.execute(self.pgconn)):
                if result.status == ExecStatus.FATAL_ERROR:
                    raise psycopg.errors.error_from_result(result, encoding=self.info.encoding)
        yield from super()._start_query()

    def commit(self) -> None:
        """Commit; a unit of work of which nothing was sent was never opened."""
        self.opening = ()
        super().commit()

    def rollback(self) -> None:
        """Roll back; late as this may come, the server has a moment to answer: the connection is good for others."""
        self.opening = ()
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
