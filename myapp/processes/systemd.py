"""What systemd and a service tell each other: sockets that are handed over, and where the service is.

Source: sd_listen_fds(3), sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence

FIRST_SOCKET = 3

SOCKETS_PROCESS = "LISTEN_PID"
SOCKETS_COUNT = "LISTEN_FDS"
NOTIFY = "NOTIFY_SOCKET"
# Meant for the main process alone, which tells its workers in its own way.
VARIABLES = (SOCKETS_PROCESS, SOCKETS_COUNT, "LISTEN_FDNAMES", NOTIFY)


def sockets(environ: Mapping[str, str]) -> Sequence[socket.socket]:
    """Return the listening sockets that were handed over to this process."""
    if environ.get(SOCKETS_PROCESS) != str(os.getpid()):
        return []
    numbers = range(FIRST_SOCKET, FIRST_SOCKET + int(environ.get(SOCKETS_COUNT, "0")))
    for number in numbers:
        os.set_inheritable(number, False)
    return [socket.socket(fileno=number) for number in numbers]


def notify(environ: Mapping[str, str], *states: str) -> None:
    """Say where the service is, if somebody wants to know."""
    address = environ.get(NOTIFY)
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        # An address that begins with "@" is in Linux's abstract name space.
        notifying.sendto("\n".join(states).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def reloading() -> Sequence[str]:
    """Return what to say when a reload begins; the time lets systemd tell it from an earlier one."""
    return ("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
