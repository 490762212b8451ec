"""Several real processes behind one port: none of what happens to them is seen outside, but for what a killed one had.

Clients keep their connections, and send money all the while. A connection that breaks is a failure, and is written
down; what was sent on it is sent again under its key, so that at the end the books tell what was lost or doubled.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path

import psutil
import pytest

from tests import databases, traffic
from tests.faults.serving import START_SECONDS, WAIT_SECONDS, Server, Servers, check_books, free_port, servers_on

CLIENTS = 6
CALLS = 5_000
SEEDS = itertools.count(25)
# Of a client between two calls, which leaves some of the machine to those who start.
PAUSE_SECONDS = 0.1
DRAIN_SECONDS = 1

JSON = {"Content-Type": "application/json"}

pytestmark = [pytest.mark.slow, pytest.mark.commits]


@pytest.fixture(scope="module")
def database(databases_of: Callable[[str], databases.Databases]) -> Iterator[str]:
    with databases_of("postgresql").private() as url:
        yield url


@pytest.fixture(scope="module")
def servers(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Return two processes behind one port; whoever uses them leaves two, with good settings."""
    directory = tmp_path_factory.mktemp("servers")
    listen = f"127.0.0.1:{two_free_ports()}"
    servers = servers_on(database, directory, drain_seconds=DRAIN_SECONDS, ident="first", worker_listen=listen)
    with started(servers):
        yield servers
        servers.signal(signal.SIGTERM)
        assert servers.ended() == 0


@pytest.fixture(scope="module")
def books() -> list[traffic.Call]:
    """Return what the servers of this module have accepted."""
    return []


def two_free_ports() -> int:
    """Return a port that is free, and so is the next."""
    while True:
        port = free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


@contextmanager
def started(servers: Servers) -> Iterator[None]:
    """Start servers, and leave none behind."""
    try:
        servers.start()
        traffic.open_books(lambda path, body, headers: servers.post(path, body, headers)[0])
        yield
    finally:
        # The workers end when there is nobody to tell them anything.
        servers.kill()


@dataclass
class Load:
    """What clients sent, and what came of it."""

    server: Server
    calls: Sequence[traffic.Call]
    answers: dict[str, int] = field(default_factory=dict)
    # When a connection broke, or was refused.
    broken_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def work(self) -> None:
        """Send calls until it is over, or a connection is refused."""
        pending: traffic.Call | None = None
        while not self.over.is_set() and not self.refused_at:
            with closing(self.server.connect()) as connection:
                try:
                    is_last = False
                    while not is_last and not self.over.wait(PAUSE_SECONDS):
                        pending = pending or self.calls[next(self.numbers)]
                        is_last = self.send(connection, pending)
                        pending = None
                except ConnectionRefusedError:
                    self.refused_at.append(time.monotonic())
                except (OSError, http.client.HTTPException):
                    self.broken_at.append(time.monotonic())

    def send(self, connection: http.client.HTTPConnection, call: traffic.Call) -> bool:
        """Send one, and return whether its connection ends with it."""
        connection.request("POST", call.path, json.dumps(call.body), JSON | {"Idempotency-Key": call.key})
        answer = connection.getresponse()
        answer.read()
        self.answers[call.key] = answer.status
        self.seen.append(answer.headers["Server"])
        return answer.headers["Connection"] == "close"

    def accepted(self) -> list[traffic.Call]:
        return [call for call in self.calls if self.answers.get(call.key) == 201]

    def goes_on(self) -> None:
        """Wait until some more were answered."""
        count = len(self.answers) + 3 * CLIENTS
        wait_until(lambda: len(self.answers) >= count)


@contextmanager
def load(server: Server, books: list[traffic.Call]) -> Iterator[Load]:
    """Let clients send while the block lasts, and add to the books what was accepted."""
    made = Load(server, traffic.calls(next(SEEDS), CALLS))
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(made.work) for _ in range(CLIENTS)]
        try:
            made.goes_on()
            yield made
        finally:
            made.over.set()
        for client in clients:
            client.result()
    assert not [status for status in made.answers.values() if status >= 500]
    books += made.accepted()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def own_port(servers: Servers) -> int:
    return int(servers.ini.read_text().split("worker_listen = 127.0.0.1:")[1].split("\n")[0])


def requests_counted(port: int) -> float:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    counts = [line for line in lines if line.startswith("http_requests_total{") and 'route="healthz"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


class TestOnePort:
    def test_spreads_kept_connections_over_all_and_each_counts_for_itself(self, servers: Servers):
        doors = [own_port(servers), own_port(servers) + 1]
        before = [requests_counted(door) for door in doors]
        connections = [servers.connect() for _ in range(8)]
        for connection in connections:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()

        counts = [requests_counted(door) - count for door, count in zip(doors, before, strict=True)]
        assert sum(counts) == 8
        assert min(counts) >= 2
        for connection in connections:
            connection.close()

    def test_a_killed_worker_loses_what_it_had_in_flight_alone_and_is_replaced(
        self, servers: Servers, books: list[traffic.Call]
    ):
        before = servers.workers()
        with load(servers, books) as sending:
            killed = min(before)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: len(servers.workers() - {killed}) == 2)
            sending.goes_on()

        assert 1 <= len(sending.broken_at) <= CLIENTS
        assert sending.refused_at == []
        check_books(servers, books)
        wait_until(lambda: serves(own_port(servers)) and serves(own_port(servers) + 1))

    def test_a_reload_brings_new_settings_and_fails_no_request(self, servers: Servers, books: list[traffic.Call]):
        before = servers.workers()
        reloads = servers.log.read_text().count("Reloaded")
        with load(servers, books) as sending:
            servers.replace("ident = first", "ident = second")
            servers.signal(signal.SIGHUP)
            stays_ready(servers, lambda: servers.log.read_text().count("Reloaded") > reloads)
            seen = len(sending.seen)
            sending.goes_on()
        servers.replace("ident = second", "ident = first")

        assert sending.broken_at == sending.refused_at == []
        assert set(sending.seen[seen + CLIENTS :]) == {"second"}
        assert not before & servers.workers()
        assert len(servers.workers()) == 2
        check_books(servers, books)

    @pytest.mark.parametrize(
        ("good", "bad"),
        [
            ("threads = 8", "threads = many"),
            pytest.param("myapp.auth = open", "myapp.auth = ajar", marks=pytest.mark.long),
        ],
    )
    def test_a_reload_with_bad_settings_changes_nothing(
        self, servers: Servers, books: list[traffic.Call], good: str, bad: str
    ):
        before = servers.workers()
        failed = servers.log.read_text().count("The reload failed")
        with load(servers, books) as sending:
            servers.replace(good, bad)
            servers.signal(signal.SIGHUP)
            servers.wait_for_log("The reload failed", times=failed + 1)
            servers.replace(bad, good)
            sending.goes_on()

        assert sending.broken_at == sending.refused_at == []
        assert servers.workers() == before


def stays_ready(servers: Servers, until: Callable[[], bool]) -> None:
    """Ask whether the service is ready, on connections that are kept as long as they may, until something is so."""
    deadline = time.monotonic() + 3 * START_SECONDS
    is_last = True
    connection = servers.connect()
    while not until():
        assert time.monotonic() < deadline, servers.log.read_text()
        if is_last:
            connection.close()
            connection = servers.connect()
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
        is_last = answer.headers["Connection"] == "close"
        time.sleep(0.05)
    connection.close()


class TestEnd:
    def test_under_load_refuses_nobody_before_the_doors_close_and_loses_nothing(
        self, fresh_database_url: Callable[[str], str], tmp_path: Path
    ):
        servers = servers_on(fresh_database_url("postgresql"), tmp_path, drain_seconds=DRAIN_SECONDS)
        books: list[traffic.Call] = []
        with started(servers):
            with load(servers, books) as sending:
                signalled_at = time.monotonic()
                servers.signal(signal.SIGTERM)
                wait_until(lambda: bool(sending.refused_at))
            assert servers.ended() == 0

        # One that is made in the very moment may be reset.
        assert min(sending.refused_at + sending.broken_at) >= signalled_at + DRAIN_SECONDS
        alone = Server(servers.ini, servers.port)
        alone.start()
        check_books(alone, books)
        alone.kill()

    @pytest.mark.long
    def test_at_a_second_signal_is_at_once(self, fresh_database_url: Callable[[str], str], tmp_path: Path):
        servers = servers_on(fresh_database_url("sqlite"), tmp_path, drain_seconds=2 * WAIT_SECONDS)
        with started(servers):
            workers = servers.workers()
            servers.signal(signal.SIGTERM)
            servers.wait_for_log("Stopping")
            servers.signal(signal.SIGTERM)

            assert servers.ended() == -signal.SIGTERM
            assert not any(psutil.pid_exists(each) for each in workers)


class TestStart:
    @pytest.mark.long
    def test_fails_with_the_message_of_the_worker(self, empty_database_url: Callable[[str], str], tmp_path: Path):
        servers = servers_on(empty_database_url("sqlite"), tmp_path)
        with pytest.raises(AssertionError, match="it ended at its start"):
            servers.start()

        assert servers.ended() == 2
        assert servers.log.read_text().count("alembic") == 1
        assert "ended with 1 before it was ready" in servers.log.read_text()


class TestSystemd:
    def test_sockets_are_served_and_outlive_who_serves_them(
        self, fresh_database_url: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        servers = Activated(*astuple(servers_on(fresh_database_url("sqlite"), tmp_path)))
        with (
            closing(socket.create_server(("127.0.0.1", servers.port))) as door,
            closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notified,
            # Whoever comes before there is anybody to serve waits.
            ThreadPoolExecutor(1) as early,
        ):
            notified.settimeout(START_SECONDS)
            notified.bind(str(tmp_path / "notify"))
            monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
            servers.door = door
            servers.processes = 1
            waiting = early.submit(servers.get, "/healthz")
            with started(servers):
                assert waiting.result()[0] == 200
                assert notified.recv(100) == b"READY=1"
                workers = servers.workers()
            wait_until(lambda: not any(is_running(each) for each in workers))
            # It waits for the next who serves.
            socket.create_connection(("127.0.0.1", servers.port), timeout=WAIT_SECONDS).close()


# As systemd does it: the sockets from descriptor 3 on, and the process that they are meant for.
ACTIVATING = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "http"}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass
class Activated(Servers):
    """Servers that systemd would have started."""

    door: socket.socket | None = None

    @property
    def command(self) -> Sequence[str]:
        assert self.door is not None
        self.door.set_inheritable(True)
        return ["-c", ACTIVATING, str(self.door.fileno()), *super().command]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def serves(port: int) -> bool:
    try:
        requests_counted(port)
    except OSError:
        return False
    return True
