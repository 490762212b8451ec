"""One connection of a client, and the answers on it."""

from __future__ import annotations

import copy
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

# What is used of waitress is not in its documentation; constraints.txt pins it, and tests/unit/test_server.py holds it
# to what is expected here.
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

if TYPE_CHECKING:
    from myapp.server.watch import Watch

log = logging.getLogger(__name__)

_ESCAPES = {number: f"%{number:02X}" for number in (*range(32), 127)}


class OneLine(logging.Filter):
    """Escape what would end a line of the log: waitress logs addresses as they were sent, and anyone could add one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, on one line."""
        record.msg, record.args = record.getMessage().translate(_ESCAPES), ()
        return True


class Head(bytes):
    """The head of an answer."""


class Task(WSGITask):  # type: ignore[misc]
    """One request in a worker thread."""

    def build_response_header(self) -> Head:
        """Return the head of the answer; the last one that the connection gets says so."""
        is_last = len(self.channel.requests) == 1
        if is_last and self.channel.server.is_leaving():
            # As if the client had asked for it, so that waitress does what is right for its version of HTTP.
            self.request.headers["CONNECTION"] = "close"
        return Head(super().build_response_header())

    def set_close_on_finish(self) -> None:
        """Close after this answer; but not for its lack of a length alone, where it has no body either (204, 304)."""
        is_wished = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or is_wished or self.version == "1.0":
            super().set_close_on_finish()

    def finish(self) -> None:
        """Send what has to be sent of an answer without a body."""
        super().finish()
        self.channel.send_head()


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection of a client."""

    task_class = Task
    # When the client had last taken what there was.
    caught_up_at = 0.0
    _head = b""
    # Whether the system did not take all that a worker thread had to send.
    _is_left = False

    def __init__(self, server: Any, *arguments: Any, map: Watch) -> None:  # noqa: A002 - waitress calls it so
        super().__init__(copy.copy(server), *arguments, map=map)
        self._watch = map
        self._loop_thread = threading.get_ident()
        # What would wake the whole loop, to ask every connection.
        self.server.pull_trigger = self._leave_to_loop
        try:
            self.changed()
        except OSError:
            # To the door it would be an error of its own, and it would close for good.
            log.exception("A connection that the system does not watch is closed")
            self.handle_close()

    def changed(self) -> None:
        """Have the loop wait for what this connection waits for now; any thread may call it."""
        self._watch.ask(self)

    def writable(self) -> bool:
        """Say whether the loop has something to send, which no worker thread is about to."""
        is_left = self.total_outbufs_len and (self._is_left or not self.requests)
        return bool(is_left or self.will_close or self.close_when_flushed)

    def _leave_to_loop(self) -> None:
        self._is_left = self.total_outbufs_len > 0
        self.changed()

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way: none received, none half-received, no answer half-sent."""
        return not self.requests and self.request is None and not self.total_outbufs_len

    def write_soon(self, data: Any) -> int:
        """Send; the head of an answer waits for the first of its body, and goes out with it."""
        if isinstance(data, Head):
            self._head = bytes(data)
            return len(data)
        if self._head and isinstance(data, bytes):
            data, self._head = self._head + data, b""
        self.send_head()
        sent: int = super().write_soon(data)
        return sent

    def _flush_some(self, do_close: bool = True) -> bool:
        """Send what there is, one thread at a time; only the loop closes what the client has left.

        waitress sends `100 Continue` in a worker thread while its loop may send too, and sends the same bytes twice.
        """
        may_close = do_close and threading.get_ident() == self._loop_thread
        with self.outbuf_lock:
            return bool(super()._flush_some(do_close=may_close))

    def cancel(self) -> None:
        """Drop what was asked, and have the loop close the connection."""
        super().cancel()
        self.changed()

    def send_head(self) -> None:
        """Send a head that still waits."""
        head, self._head = self._head, b""
        if head:
            super().write_soon(head)

    def look(self) -> None:
        """Give up a client that takes nothing of what there is for it for `channel_timeout`; called once a second.

        waitress would wait for it, and the worker thread that makes the answer with it, for as long as it stays.
        """
        now = time.time()
        if self.total_outbufs_len < self.adj.send_bytes:
            self.caught_up_at = now
        # Not by its last activity alone: an answer may begin after a long silence.
        if now - max(self.caught_up_at, self.last_activity) > self.adj.channel_timeout:
            self.handle_close()
