"""A proxy in front of PostgreSQL that cuts the connection when the client sends a given word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa


class CuttingProxy:
    """Pass bytes on between clients on loopback and the server, until one client says `cut_at`.

    That message still reaches the server; its answer never reaches the client.
    """

    def __init__(self, server: sa.URL) -> None:
        self.cut_at: bytes | None = None
        self.cuts = 0
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        through = self._server.difference_update_query(["host"]).set(host=host, port=port)
        return through.render_as_string(hide_password=False)

    def close(self) -> None:
        for each in self._sockets:
            _shut(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            self._sockets += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True).start()

    def _connect(self) -> socket.socket:
        directory = self._server.query.get("host")
        if directory is None:
            return socket.create_connection((self._server.host, self._server.port or 5432))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{directory}/.s.PGSQL.{self._server.port or 5432}")
        return server

    def _pass_on(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        try:
            while data := source.recv(65536):
                if from_client and self.cut_at is not None and self.cut_at in data:
                    self.cuts += 1
                    _shut(source)
                    target.sendall(data)
                    # The server ends its work before it notices that nobody listens any more.
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            if not from_client:
                _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def cutting_proxy(url: str) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(sa.make_url(url))
    try:
        yield proxy
    finally:
        proxy.close()
