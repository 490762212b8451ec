"""Who may have a connection now, who waits for one, and who is told at once to come back later.

The pool has a connection for each place in the line before it, so nobody ever waits inside it: there the wait would be
unfair and without a bound on its length. On SQLite writers form a line of their own first, since only one can write,
and waiting in SQLite is unfair too.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack

from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import errors
from myapp.db.limits.deadline import Deadline
from myapp.db.limits.line import Line, Seats
from myapp.db.unit import Unit

OPTION = "db_admission"

NESTED = (
    "A unit of work was begun inside another one of the same thread that holds all there is: SQLite's one writer, or "
    "each connection of the pool. It would wait for itself. End the outer one first, or work on its session."
)


class Turn:
    """What a unit of work holds at one engine: a place in each line, and the time until which it may connect."""

    def __init__(self, connect_by: Deadline | None, *, outer: Turn | None) -> None:
        self.connect_by = connect_by
        self.lines: list[Line] = []
        self._outer = outer

    def running(self) -> Turn | None:
        """Return this one, or where it has ended the one that it began in."""
        if self.lines:
            return self
        return None if self._outer is None else self._outer.running()

    def holds(self, line: Line) -> int:
        """Return how many places of a line this one holds, with those that it began in."""
        outer = 0 if self._outer is None else self._outer.holds(line)
        return self.lines.count(line) + outer

    def end(self) -> None:
        """Give everything back; may be called again, and by another thread than the one whose turn it is."""
        while self.lines:
            self.lines.pop().leave()


class _Thread(threading.local):
    turn: Turn | None = None

    def running(self) -> Turn | None:
        return None if self.turn is None else self.turn.running()


_thread = _Thread()


def connect_by() -> Deadline | None:
    """Return until when this thread may make a connection; None where no unit of work wants one by a time.

    It is made deep inside the pool, which knows no unit of work.
    """
    turn = _thread.running()
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
            SessionNested: it would wait for a place that its own thread holds.
        """
        if not (unit.readonly or self._writes):
            raise errors.ReadOnly("The service takes no writes at present; reads go on.")
        if unit.deadline is not None:
            unit.deadline.require()
        outer = _thread.running()
        turn = Turn(unit.deadline, outer=outer)
        with ExitStack() as refused:
            refused.callback(turn.end)
            for line in self._lines(unit):
                if outer is not None and outer.holds(line) >= line.places:
                    raise errors.SessionNested(NESTED)
                self._enter(line, unit)
                turn.lines.append(line)
            refused.pop_all()
        _thread.turn = turn
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
