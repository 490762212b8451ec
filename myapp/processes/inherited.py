"""What a worker is given by the process that started it: the sockets to serve, a tally, and a line to that process.

The line is a socket pair. The worker says once that it is ready; it is told to retire; and the end of the other
process, however it came, is the end of the line, and of the worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

from myapp.processes import tally

# Numbers of descriptors, with commas between them.
SOCKETS = "MYAPP_WORKER_SOCKETS"
LINE = "MYAPP_WORKER_LINE"
TALLY = "MYAPP_WORKER_TALLY"
PLACE = "MYAPP_WORKER_PLACE"

READY = b"R"
RETIRE = b"T"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """The worker's place among the others, the sockets, which listen or are bound, and the rest."""

    place: int
    sockets: Sequence[socket.socket]
    tally: tally.Tally
    line: socket.socket

    def say_ready(self) -> None:
        """Say that requests are served."""
        # Nobody may be there any more; then `follow` notices.
        with contextlib.suppress(OSError):
            self.line.sendall(READY)

    def follow(self, *, retire: Callable[[], None], end: Callable[[], None]) -> None:
        """Do as the line says, in a thread of its own, until its end."""
        threading.Thread(target=self._follow, args=[retire, end], name="supervisor's line", daemon=True).start()

    def _follow(self, retire: Callable[[], None], end: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            while self.line.recv(1) == RETIRE:
                retire()
        end()


def take(environ: MutableMapping[str, str]) -> Inherited | None:
    """Return what there is for this process, and leave nothing for those that it may start itself."""
    if LINE not in environ:
        return None
    numbers = [int(number) for number in environ.pop(SOCKETS).split(",")]
    place = int(environ.pop(PLACE))
    return Inherited(
        place=place,
        sockets=[_socket(number) for number in numbers],
        tally=_tally(int(environ.pop(TALLY)), place),
        line=_socket(int(environ.pop(LINE))),
    )


def _socket(number: int) -> socket.socket:
    taken = socket.socket(fileno=number)
    taken.set_inheritable(False)
    return taken


def _tally(descriptor: int, place: int) -> tally.Tally:
    taken = tally.Tally(descriptor, place)
    os.close(descriptor)
    return taken
