"""A line: those who wait are served in the order in which they came, and when it is full the answer is a refusal.

A short one, so that a server under too much load keeps serving what it can.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack

from myapp.db import errors


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
