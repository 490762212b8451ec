"""One worker, seen by the process that started it."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence

from myapp.processes import inherited, systemd

# From the start of a process until it serves: to import, and to meet the database, which may be slow to answer.
START_SECONDS = 60
# What a process takes to end beyond what its settings allow for requests, generously.
END_SECONDS = 5


class Worker:
    """A process in the place `number`; a reload puts another one in the same place."""

    def __init__(
        self, number: int, command: Sequence[str], sockets: Iterable[socket.socket], *, tally: int, end_seconds: float
    ) -> None:
        """Start it; `tally` is the descriptor of the connections' counts."""
        self.number = number
        self.is_ready = False
        self.is_leaving = False
        self._end_seconds = end_seconds + END_SECONDS
        self._deadline = time.monotonic() + START_SECONDS
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        with theirs:
            given = {
                inherited.SOCKETS: [each.fileno() for each in sockets],
                inherited.LINE: [theirs.fileno()],
                inherited.TALLY: [tally],
            }
            self._process = _start(command, given, number)
        self.ready_at = 0.0

    def fileno(self) -> int:
        """Return what becomes readable when it is ready."""
        return self._line.fileno()

    @property
    def pid(self) -> int:
        return self._process.pid

    def look(self) -> int | None:
        """Take the news, and return the exit code once there is one; kill what is overdue."""
        if not self.is_ready and not self.is_leaving and self._says_ready():
            self.is_ready = True
            self.ready_at = time.monotonic()
        if time.monotonic() > self._deadline and (self.is_leaving or not self.is_ready):
            self.kill()
        code = self._process.poll()
        if code is not None:
            self._line.close()
        return code

    def retire(self) -> None:
        """Let it finish what it has, and leave new connections to the others."""
        self._leave()
        # It may have died a moment ago.
        with contextlib.suppress(OSError):
            self._line.send(inherited.RETIRE)

    def end(self) -> None:
        """End it, in an orderly way if it serves already."""
        self._leave()
        self._line.close()
        if not self.is_ready:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _leave(self) -> None:
        self.is_leaving = True
        self._deadline = time.monotonic() + self._end_seconds

    def _says_ready(self) -> bool:
        try:
            return self._line.recv(1) == inherited.READY
        except OSError:
            return False


def _start(command: Sequence[str], given: Mapping[str, Sequence[int]], number: int) -> subprocess.Popen[bytes]:
    """Start a process that is given descriptors, and told their numbers by variables."""
    environ = {name: value for name, value in os.environ.items() if name not in systemd.VARIABLES}
    environ |= {name: ",".join(map(str, descriptors)) for name, descriptors in given.items()}
    return subprocess.Popen(  # noqa: S603 - the command is the service's own
        command,
        env=environ | {inherited.PLACE: str(number)},
        stdin=subprocess.DEVNULL,
        pass_fds=[*itertools.chain(*given.values())],
        # Ctrl-C is for who started them; it would be a second signal, which ends at once.
        process_group=0,
    )
