"""Who may have a connection now, who waits for one, and who is told at once to come back later.

The pool has a connection for each place, so nobody ever waits inside it: there the wait would be unfair and without a
bound on its length. Here the longest waiting is served first, the line is short, and when it is full the answer is an
immediate refusal, so that a server under too much load keeps serving what it can. On SQLite writers form a line of
their own before it, since only one can write, and waiting in SQLite is unfair too.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import errors
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
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            return turn.wait(max(seconds_max, 0.0)) or self._give_up(turn)
        finally:
            self._seats.give_back()

    def leave(self) -> None:
        """Give the place to whoever waits longest, or back."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self.taken -= 1

    def _give_up(self, turn: threading.Event) -> bool:
        with self._lock:
            if turn.is_set():
                return True
            self._waiting.remove(turn)
            return False


class Admission:
    """The lines before one engine: one for its connections, and one for its writers where there can be only one."""

    def __init__(self, database: settings.Database, *, one_writer: bool) -> None:
        seats = Seats(database.waiting_max)
        self.connections = Line(database.pool_size, seats=seats, seconds_max=database.pool_timeout_seconds)
        self.writers = Line(1, seats=seats, seconds_max=database.busy_timeout_seconds) if one_writer else None
        self._writes = database.writes

    def enter(self, unit: Unit) -> float:
        """Take what the unit of work needs; return the seconds it waited.

        Raises:
            ReadOnly: it may write, and the setting `db.writes` is off.
            Overloaded: too many wait already, or the wait took as long as the setting allows.
            DeadlineExceeded: the time of the unit of work was over before.
        """
        if not (unit.readonly or self._writes):
            raise errors.ReadOnly("The service takes no writes at present; reads go on.")
        if unit.deadline is not None:
            unit.deadline.require()
        began = time.monotonic()
        lines = self._lines(unit)
        for number, line in enumerate(lines):
            try:
                self._enter(line, unit)
            except errors.DatabaseError:
                for entered in lines[:number]:
                    entered.leave()
                raise
        return time.monotonic() - began

    def leave(self, unit: Unit) -> None:
        """Give back what `enter` took."""
        for line in reversed(self._lines(unit)):
            line.leave()

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
