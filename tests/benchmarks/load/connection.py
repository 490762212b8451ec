"""One kept connection: it sends prepared bytes and tells the status of the answer, as cheaply as asyncio lets it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from tests.benchmarks.load.order import SUCCESS

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
# Such an answer ends with its head, whatever length that tells.
NO_BODY = (b"HTTP/1.1 304", b"HTTP/1.1 204")
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
CHUNKED_END = b"0\r\n\r\n"
LOST = "lost"

# What a connection tells: itself, the status, and the answer where it was not as expected.
Answered = Callable[["Connection", str, bytes], None]


class Connection(asyncio.Protocol):
    """A connection is free, or waits for one answer; `answered` is told of each, and of one that got lost."""

    def __init__(self, answered: Answered, expected: str = SUCCESS) -> None:
        self._answered = answered
        self._expected = expected
        self._transport: asyncio.Transport | None = None
        self._received = b""
        # Of the whole answer, once its head is there.
        self._length: int | None = None
        self.is_busy = False
        # When what it waits for was due, or sent; the loop's clock.
        self.since = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def _transport_now(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def send(self, request: bytes, since: float) -> None:
        self.is_busy, self.since = True, since
        self._transport_now.write(request)

    def close(self) -> None:
        self.is_busy = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received = data = self._received + data if self._received else data
        if self._length is None:
            self._length = _length(data)
        is_whole = data.endswith(CHUNKED_END) if self._length == -1 else len(data) >= (self._length or len(data) + 1)
        if is_whole and self.is_busy:
            self._received, self._length, self.is_busy = b"", None, False
            status = data[9:12].decode()
            if CLOSE.search(data, 0, data.find(HEAD_END)):
                # As the server does. What is sent next goes over a new one, and waits for it.
                self._transport_now.close()
            self._answered(self, status, b"" if status.startswith(self._expected) else data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        received, self._received, self._length = self._received, b"", None
        if self.is_busy:
            self.is_busy = False
            self._answered(self, LOST, received or str(exc).encode())


def _length(data: bytes) -> int | None:
    """Return the length of the answer that begins so: None while that is open, -1 where it comes in chunks."""
    end = data.find(HEAD_END)
    if end < 0:
        return None
    if CHUNKED.search(data, 0, end):
        return -1
    if data.startswith(NO_BODY):
        return end + len(HEAD_END)
    found = LENGTH.search(data, 0, end)
    return end + len(HEAD_END) + (int(found[1]) if found else 0)
