"""A real PgBouncer in transaction mode: each transaction of a client may run on another connection of the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.own_postgresql import WAIT_SECONDS, free_port, wait_until

# Fewer than a test has clients, so that they really share; Debian installs the program where only root looks.
POOL_SIZE = 4
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}{password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
"""


@contextmanager
def pgbouncer(url: str, run_directory: Path, *, pool_size: int = POOL_SIZE) -> Iterator[str]:
    """Lend a URL of the same database through a PgBouncer of one's own, which knows all databases of the server."""
    assert PROGRAM is not None, "the test lacks the marker needs_pgbouncer"
    server, listen_port = sa.make_url(url), free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer_", dir=run_directory) as name:
        directory = Path(name)
        configuration = directory / "pgbouncer.ini"
        configuration.write_text(_configuration(server, listen_port, pool_size))
        for readable in (run_directory, directory):
            readable.chmod(0o755)
        process = _start(configuration, directory / "log", _user(_host(server)))
        try:
            wait_until(lambda: _listens(process, listen_port), "PgBouncer listens")
            through = sa.URL.create(server.drivername, server.username, None, "127.0.0.1", listen_port, server.database)
            yield through.render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)


def _configuration(server: sa.URL, listen_port: int, pool_size: int) -> str:
    return CONFIGURATION.format(
        host=_host(server),
        port=server.port or 5432,
        user=server.username,
        password=f" password={server.password}" if server.password else "",
        listen_port=listen_port,
        pool_size=pool_size,
    )


def _host(server: sa.URL) -> str:
    return str(server.host or server.query["host"])


def _user(host: str) -> str | None:
    """Return whom to run it as where that is root, which it refuses: someone who reaches the server's socket."""
    if os.geteuid() != 0:
        return None
    return Path(host).owner() if host.startswith("/") else "nobody"


def _start(configuration: Path, log: Path, user: str | None) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(PROGRAM), str(configuration)],
            stdout=output,
            stderr=output,
            user=user,
            start_new_session=True,
        )


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "PgBouncer ended at its start"
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
