"""What a process remembers of its database, so that not every request asks for it again.

A key and the id of a ledger are trusted for a bounded time after they were read, an exponent for ever: it never
changes. What was not found is not remembered, nor what a request wrote that may still fail.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Remembered(Generic[KeyT, ValueT]):
    """Values by key, each for so many seconds, shared by threads; the one learned longest ago is forgotten first."""

    def __init__(self, *, seconds_max: float, entries_max: int) -> None:
        self._seconds_max = seconds_max
        self._entries_max = entries_max
        self._known: OrderedDict[KeyT, tuple[ValueT, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: KeyT) -> ValueT | None:
        """Return what is remembered and may still be trusted, else None."""
        found = self._known.get(key)
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def learn(self, key: KeyT, value: ValueT, *, read_at: float) -> None:
        """Remember what the database said to a question asked at this moment of the monotonic clock."""
        with self._lock:
            self._known[key] = (value, read_at + self._seconds_max)
            self._known.move_to_end(key)
            while len(self._known) > self._entries_max:
                self._known.popitem(last=False)

    def find(self, key: KeyT, read: Callable[[], ValueT | None]) -> ValueT | None:
        """Return what is remembered, else what `read` finds, and remember that."""
        found = self.get(key)
        if found is None:
            read_at = time.monotonic()
            found = read()
            if found is not None:
                self.learn(key, found, read_at=read_at)
        return found
