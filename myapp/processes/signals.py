"""The signals that the supervisor waits for, in the order they came."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP
# A worker's end only has to wake who waits.
HEEDED = (*STOP, RELOAD, signal.SIGCHLD)


class Readable(Protocol):
    """What `select` takes."""

    def fileno(self) -> int: ...


class Inbox:
    """Where signals arrive; each byte is the number of one."""

    def __init__(self, arriving: socket.socket) -> None:
        self._arriving = arriving

    def wait(self, others: Sequence[Readable], *, seconds: float) -> Sequence[signal.Signals]:
        """Return the signals that came, as soon as there is one, or one of the others is readable, or time is over."""
        select.select([self._arriving, *others], [], [], seconds)
        with suppress(BlockingIOError):
            return [signal.Signals(number) for number in self._arriving.recv(4096)]
        return []


@contextmanager
def heeded() -> Iterator[Inbox]:
    """Let the signals arrive in an inbox while the block lasts."""
    arriving, written = socket.socketpair()
    for end in (arriving, written):
        end.setblocking(False)
    old_descriptor = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    # What is ignored stays so: a program in the background does not end with its terminal's Ctrl-C.
    ignored = {each for each in STOP if signal.getsignal(each) is signal.SIG_IGN}
    old = {each: signal.signal(each, _nothing) for each in HEEDED if each not in ignored}
    try:
        yield Inbox(arriving)
    finally:
        for each, handler in old.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(old_descriptor)
        arriving.close()
        written.close()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Leave it to the inbox."""
