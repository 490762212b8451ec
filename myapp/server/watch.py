"""Who of the sockets waits for what; and the loop's wait for them.

waitress asks every connection before every wait what it waits for, and each answer wakes it to ask again. Here the
system remembers it from one wait to the next, and whoever changes something says of what.
"""

from __future__ import annotations

import selectors
import threading
from selectors import EVENT_READ, EVENT_WRITE

# Not in waitress's documentation; constraints.txt pins it, and tests/unit/test_server.py holds it to what is expected.
from waitress import wasyncore


class Watch(dict[int, wasyncore.dispatcher]):
    """What waitress calls its map: listening sockets, connections, and the pipes that wake it, by their numbers."""

    def __init__(self) -> None:
        super().__init__()
        # epoll or kqueue: what another thread changes holds for a wait that has begun.
        self._selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        self._lock = threading.Lock()

    def __delitem__(self, number: int) -> None:
        with self._lock:
            super().__delitem__(number)
            if self._wanted.pop(number, 0):
                self._selector.unregister(number)

    def ask(self, each: wasyncore.dispatcher) -> None:
        """Ask one that changed what it waits for now; any thread may call it."""
        with self._lock:
            number = each._fileno
            if self.get(number) is not each:
                return
            wanted = _wanted(each)
            if wanted == self._wanted.get(number, 0):
                return
            # Of what the system refuses nothing is believed.
            before = self._wanted.pop(number, 0)
            if not before:
                self._selector.register(number, wanted)
            elif not wanted:
                self._selector.unregister(number)
            else:
                self._selector.modify(number, wanted)
            if wanted:
                self._wanted[number] = wanted

    def ask_all(self) -> None:
        """Ask each what it waits for; some change with time alone."""
        for each in list(self.values()):
            self.ask(each)

    def turn(self, seconds: float) -> None:
        """Do what the sockets are ready for; wait for that at most as long as given."""
        for key, ready in self._selector.select(seconds):
            each = self.get(key.fd)
            if each is not None:
                self._serve(each, ready)

    def close(self) -> None:
        """Close everything."""
        wasyncore.close_all(self)
        self._selector.close()

    def _serve(self, each: wasyncore.dispatcher, ready: int) -> None:
        wanted = _wanted(each)
        if ready & wanted & EVENT_READ:
            wasyncore.read(each)
        if ready & wanted & EVENT_WRITE:
            wasyncore.write(each)
        # A connection whose request is being served wants nothing for that short time. It is taken from the watch only
        # if something comes meanwhile: most clients wait for their answer.
        if ready != EVENT_READ or wanted != EVENT_READ or each.writable():
            self.ask(each)


def _wanted(each: wasyncore.dispatcher) -> int:
    reads = EVENT_READ if each.readable() else 0
    return reads | EVENT_WRITE if each.writable() and not each.accepting else reads
