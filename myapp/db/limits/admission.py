"""Who may have a connection now, who waits for one, and who is told at once to come back later.

The pool has a connection for each place, so nobody ever waits inside it: there the wait would be unfair and without a
bound on its length. Here the longest waiting is served first, the line is short, and when it is full the answer is an
immediate refusal, so that a server under too much load keeps serving what it can. On SQLite writers form a line of
their own before it, since only one can write, and waiting in SQLite is unfair too.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from contextvars import ContextVar

from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import errors
from myapp.db.limits.deadline import Deadline
from myapp.db.unit import Unit

OPTION = "db_admission"


class Seats:
    """How many may wait in all the lines before one engine, since each who waits holds a thread of the server."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = threading.Semaphore(count)

    def take(self) -> None:
        """Take a seat.

        Raises:
            Overloaded: too many wait already.
        """
        if not self._free.acquire(blocking=False):
            raise errors.Overloaded(f"{self.count} requests wait for their turn already.")

    def give_back(self) -> None:
        """Give a seat back."""
        self._free.release()


class Line:
    """A number of places, and those who wait for one in the order in which they came."""

    def __init__(self, places: int, *, seats: Seats, seconds_max: float) -> None:
        self.places = places
        self.seconds_max = seconds_max
        self._seats = seats
        self.taken = 0
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def enter(self, seconds_max: float) -> bool:
        """Take a place, waiting for one if need be; say whether there was one in time.

        Raises:
            Overloaded: too many wait already.
        """
        with self._lock:
            if self.taken < self.places:
                self.taken += 1
                return True
            self._seats.take()
            called = threading.Event()
            self._waiting.append(called)
        try:
            return self._wait(called, max(seconds_max, 0.0))
        finally:
            self._seats.give_back()

    def leave(self) -> None:
        """Give the place to whoever waits longest, or back."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self.taken -= 1

    def _wait(self, called: threading.Event, seconds: float) -> bool:
        with ExitStack() as interrupted:
            # By Ctrl-C, at a prompt.
            interrupted.callback(self._withdraw, called)
            called.wait(seconds)
            interrupted.pop_all()
        return self._give_up(called)

    def _withdraw(self, called: threading.Event) -> None:
        if self._give_up(called):
            self.leave()

    def _give_up(self, called: threading.Event) -> bool:
        """Wait no longer; say whether a place was given, in the last moment or before."""
        with self._lock:
            if called.is_set():
                return True
            self._waiting.remove(called)
            return False


class Turn:
    """What a unit of work holds at one engine: a place in each line, and the time until which it may connect."""

    def __init__(self, connect_by: Deadline | None) -> None:
        self.connect_by = connect_by
        self.lines: list[Line] = []

    def end(self) -> None:
        """Give everything back; may be called again, and by another thread than the one whose turn it is."""
        self.connect_by = None
        while self.lines:
            self.lines.pop().leave()


# A new connection is made deep inside the pool, which knows no unit of work; so here is noted whose turn it is.
_TURN: ContextVar[Turn | None] = ContextVar("_TURN", default=None)


def connect_by() -> Deadline | None:
    """Return until when this thread may make a connection; None where no unit of work wants one by a time."""
    turn = _TURN.get()
    return None if turn is None else turn.connect_by


class Admission:
    """The lines before one engine: one for its connections, and one for its writers where there can be only one."""

    def __init__(self, database: settings.Database, *, one_writer: bool) -> None:
        seats = Seats(database.waiting_max)
        self.connections = Line(database.pool_size, seats=seats, seconds_max=database.pool_timeout_seconds)
        self.writers = Line(1, seats=seats, seconds_max=database.busy_timeout_seconds) if one_writer else None
        self._writes = database.writes

    def enter(self, unit: Unit) -> Turn:
        """Take what the unit of work needs, waiting for it if need be.

        Raises:
            ReadOnly: it may write, and the setting `db.writes` is off.
            Overloaded: too many wait already, or the wait took as long as the setting allows.
            DeadlineExceeded: the time of the unit of work was over before.
        """
        if not (unit.readonly or self._writes):
            raise errors.ReadOnly("The service takes no writes at present; reads go on.")
        if unit.deadline is not None:
            unit.deadline.require()
        turn = Turn(unit.deadline)
        with ExitStack() as refused:
            refused.callback(turn.end)
            for line in self._lines(unit):
                self._enter(line, unit)
                turn.lines.append(line)
            refused.pop_all()
        _TURN.set(turn)
        return turn

    def _lines(self, unit: Unit) -> list[Line]:
        if self.writers is None or unit.readonly:
            return [self.connections]
        return [self.writers, self.connections]

    def _enter(self, line: Line, unit: Unit) -> None:
        seconds = line.seconds_max if unit.deadline is None else min(line.seconds_max, unit.deadline.remaining())
        if line.enter(seconds):
            return
        if unit.deadline is not None:
            unit.deadline.require()
        raise errors.Overloaded(f"No place became free within {line.seconds_max:g} s.")


def of(bind: Engine | Connection) -> Admission | None:
    """Return the lines before an engine; None for a connection, which has its place already."""
    if isinstance(bind, Connection):
        return None
    found: Admission | None = bind.get_execution_options().get(OPTION)
    return found
