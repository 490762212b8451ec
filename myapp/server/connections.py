"""One connection of a client, and the answers on it."""

from __future__ import annotations

import copy
import fcntl
import logging
import socket
import struct
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

# What is used of waitress is not in its documentation; constraints.txt pins it, and tests/unit/test_server.py holds it
# to what is expected here.
from waitress.channel import HTTPChannel
from waitress.receiver import ChunkedReceiver
from waitress.task import WSGITask
from waitress.utilities import BadRequest

if TYPE_CHECKING:
    from myapp.server.watch import Watch

log = logging.getLogger(__name__)

# Of a line between the chunks of a body, and of what comes behind them. waitress looks through all of it for its end
# whenever a byte more has come.
CHUNK_LINE_BYTES_MAX = 4096
# Once its last answer is out a client is waited for: until it has been silent for so long, and never longer than that.
PARTING_SECONDS = 2.0
PARTING_SECONDS_MAX = 30.0
# A C int.
_INT = struct.Struct("i")

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
    # When the client was last seen to take something of what there was, or had taken all of it.
    caught_up_at = 0.0
    _head = b""
    # What the system had yet to send when it was last looked at.
    _unsent = 0
    # Whether the system did not take all that a worker thread had to send.
    _is_left = False
    # waitress's: once all is sent there is no more to come.
    close_when_flushed: bool
    # When the last answer was out, if it is.
    _left_at: float | None = None

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
        """Whether nothing is under way: no request whole or by half, no answer by half; or the last of all is out."""
        is_asked = self.requests or self.request is not None or self.total_outbufs_len
        return self.has_parted or not is_asked

    @property
    def has_parted(self) -> bool:
        """Whether the last answer is out, and only the client's end is waited for."""
        return self._left_at is not None

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

    def handle_write(self) -> None:
        """Send; once the last answer is out say so, and close when the client has ended as well.

        The system resets a connection that is closed with something unread, and what was sent last may be lost.
        """
        # Asked once, and before: a worker thread may end its answer while this one sends.
        is_last = self.close_when_flushed
        if is_last or not self.requests:
            self._flush_exception(self._flush_some)
        elif self.total_outbufs_len >= self.adj.send_bytes:
            self._flush_exception(self._flush_some_if_lockable)
        if self.will_close:
            self.handle_close()
        elif is_last and self.connected and not self.total_outbufs_len:
            self._part()

    def _part(self) -> None:
        self.close_when_flushed = False
        self._left_at = time.time()
        for each in self.outbufs:
            # It may be a file.
            each.close()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take what the client has sent; refuse a chunked body that goes on and on without a chunk."""
        if self.has_parted:
            return False
        receiver = getattr(self.request, "body_rcv", None)
        if isinstance(receiver, ChunkedReceiver) and _line_bytes(receiver) > CHUNK_LINE_BYTES_MAX:
            receiver.error = BadRequest("A line between the chunks of the body is too long")
        is_taken: bool = super().received(data)
        return is_taken

    def send_continue(self) -> None:
        """Ask for the body, if one is to come; waitress forgets a request that has none, or that it has refused."""
        if self.request.completed:
            self.request.expect_continue = False
        else:
            super().send_continue()

    def handle_close(self) -> None:
        """Close, and let go of what was received by half, which may be a file."""
        super().handle_close()
        # Or it would know of itself, and stay until somebody looks for garbage.
        self.server.pull_trigger = _nobody
        if self.request is not None:
            self.request.close()

    def send_head(self) -> None:
        """Send a head that still waits."""
        head, self._head = self._head, b""
        if head:
            super().write_soon(head)

    def look(self) -> None:
        """Give up a client that takes nothing of what there is for it for `channel_timeout`; called once a second.

        waitress would wait for it, and the worker thread that makes the answer with it, for as long as it stays. One
        that has been sent its last answer, and does not end, is given up sooner.
        """
        now, unsent = time.time(), self._system_has_to_send()
        takes, self._unsent = unsent < self._unsent, unsent
        if takes or (not unsent and self._left_at is None and self.total_outbufs_len < self.adj.send_bytes):
            self.caught_up_at = now
        # Not by its last activity alone: an answer may begin after a long silence.
        silent = now - max(self.caught_up_at, self.last_activity, self._left_at or 0)
        if self._left_at is None:
            is_over = silent > self.adj.channel_timeout
        else:
            is_over = silent > PARTING_SECONDS or now - self._left_at > PARTING_SECONDS_MAX
        if is_over:
            self.handle_close()

    def _system_has_to_send(self) -> int:
        """Return how many bytes the system took that the client has not; 0 where it does not say.

        A client that reads slowly may be at these for longer than `channel_timeout`, and one that does not for ever.
        """
        try:
            told = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(_INT.size))
        except OSError:
            return 0
        number: int = _INT.unpack(told)[0]
        return number


def _line_bytes(receiver: ChunkedReceiver) -> int:
    return max(len(receiver.control_line), len(receiver.trailer))


def _nobody() -> None:
    """Be called by a worker thread that has no connection any more."""
