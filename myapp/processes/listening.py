"""Bind the addresses that the settings of the server name, as waitress would; it listens once there is a worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from waitress.adjustments import Adjustments
from waitress.utilities import cleanup_unix_socket

from myapp import errors


class CannotListen(errors.MyappError):
    """An address cannot be had."""


def bind(adjustments: Adjustments) -> Sequence[socket.socket]:
    """Return a socket for each address.

    Raises:
        CannotListen: an address is taken, or is none of this machine's.
    """
    if adjustments.unix_socket:
        return [_bind_unix(adjustments.unix_socket, adjustments.unix_socket_perms)]
    return [_bind(family, kind, address) for family, kind, _, address in adjustments.listen]


def bind_own(listen: str, number: int) -> Sequence[socket.socket]:
    """Return sockets for the address of one worker alone: `listen`, with its number added to the port.

    Raises:
        CannotListen: as `bind`.
    """
    host, port = listen.rsplit(":", 1)
    return bind(Adjustments(listen=f"{host}:{int(port) + number}"))


def close(sockets: Iterable[socket.socket]) -> None:
    """Leave the sockets to those who have them too."""
    for each in sockets:
        each.close()


def _bind(family: int, kind: int, address: tuple[str | int, ...]) -> socket.socket:
    bound = socket.socket(family, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return _bound(bound, address, f"{address[0]}:{address[1]}")


def _bind_unix(path: str, permissions: int) -> socket.socket:
    cleanup_unix_socket(path)
    bound = _bound(socket.socket(socket.AF_UNIX), path, path)
    Path(path).chmod(permissions)
    return bound


def _bound(made: socket.socket, address: object, shown: str) -> socket.socket:
    try:
        made.bind(address)  # type: ignore[arg-type]
    except OSError as exc:
        made.close()
        raise CannotListen(f"Cannot listen on {shown}: {os.strerror(exc.errno or 0)}.") from exc
    return made
