"""The one PostgreSQL of a run: durable, the same for every side, and what it says of itself.

CPU is in seconds, of the server's processes all together; WAL in bytes.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import psycopg

from tests import own_postgresql, postgresql_server
from tests.own_postgresql import OwnPostgresql

# Whatever is acknowledged is on the disk. No checkpoint falls into a run, and so on one side alone.
SETTINGS = """
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 512MB
max_wal_size = 16GB
checkpoint_timeout = 1h
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%d|'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
"""
SQLITE = "sqlite:///"
# A build takes hours: its log is not to fill the disk, and what is left of it after a crash is soon read.
KEPT_SETTINGS = "max_wal_size = 2GB\n"
SETTLE_SECONDS = 0.3
# A statement that a client sent, whichever protocol it used; `execute` names a prepared one.
STATEMENT = re.compile(r"^(\w+)\|LOG:  (?:statement|execute [^:]*): ", re.MULTILINE)


class Host(Protocol):
    """Where the databases of a run are; CPU and WAL are all of theirs together."""

    def url(self, database: str) -> str: ...

    def create(self, database: str, template: str | None = None) -> str: ...

    def has(self, database: str) -> bool: ...

    @property
    def version(self) -> str: ...

    def wal_position(self) -> int: ...

    def cpu_seconds(self) -> float: ...

    def counting(self) -> AbstractContextManager[dict[str, int]]: ...


@dataclass(frozen=True)
class Cluster:
    """The server and its programs."""

    server: OwnPostgresql
    programs: Path

    def url(self, database: str) -> str:
        return self.server.url.rsplit("/", 1)[0] + f"/{database}"

    def create(self, database: str, template: str | None = None) -> str:
        """Make a database, as a copy of one that nobody is connected to or an empty one, and return its URL."""
        self.server.value(f"CREATE DATABASE {database}" + (f" TEMPLATE {template}" if template else ""))
        return self.url(database)

    def has(self, database: str) -> bool:
        """Say whether there is such a database."""
        return bool(self.server.value(f"SELECT count(*) FROM pg_database WHERE datname = '{database}'"))

    @property
    def version(self) -> str:
        return str(self.server.value("SHOW server_version"))

    def wal_position(self) -> int:
        return int(self.server.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))

    def cpu_seconds(self) -> float:
        pid = int((self.server.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        return cpu_seconds(pid)

    @contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        """Count the statements that reach each database in the block; the figures are there after it."""
        counts: dict[str, int] = {}
        self._log_statements("all")
        start = self.server.log.stat().st_size
        yield counts
        time.sleep(SETTLE_SECONDS)
        with self.server.log.open(encoding="utf-8") as log:
            log.seek(start)
            for database in STATEMENT.findall(log.read()):
                counts[database] = counts.get(database, 0) + 1
        self._log_statements("none")

    def _log_statements(self, which: str) -> None:
        self.server.value(f"ALTER SYSTEM SET log_statement = '{which}'")
        self.server.value("SELECT pg_reload_conf()")
        time.sleep(SETTLE_SECONDS)


@contextmanager
def started() -> Iterator[Cluster]:
    """Start a server in a temporary directory, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="myapp_bench_") as name, _started(Path(name), SETTINGS) as cluster:
        yield cluster


@contextmanager
def kept(directory: Path) -> Iterator[Cluster]:
    """Start the server of a directory, which is made where there is none, and leave its databases when it ends."""
    directory.mkdir(parents=True, exist_ok=True)
    # One that somebody could not end.
    own_postgresql.stop_all(directory)
    with _started(directory.absolute(), SETTINGS + KEPT_SETTINGS) as cluster:
        try:
            yield cluster
        finally:
            # So that starting it again has little to do.
            cluster.server.value("CHECKPOINT")


@contextmanager
def _started(directory: Path, settings: str) -> Iterator[Cluster]:
    directory.chmod(0o755)
    server = OwnPostgresql(directory, "bench")
    server.create()
    (server.data / "postgresql.auto.conf").write_text(settings, encoding="utf-8")
    try:
        server.start()
        yield Cluster(server, postgresql_server.server_at(directory, server.data).bin_path)
    finally:
        server.stop(immediate=True)


def rows(url: str, query: str, values: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
    """Return the rows of a query; of several statements those of the last."""
    if url.startswith(SQLITE):
        with closing(sqlite3.connect(url.removeprefix(SQLITE))) as file:
            return file.execute(query, values or {}).fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process, those that it started, and those of them that ended have taken so far."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        spent = times.user + times.system + times.children_user + times.children_system
        return spent + sum(cpu_seconds(child.pid) for child in process.children())
    except psutil.NoSuchProcess:
        return 0.0
