"""SIGTERM in the middle of work: what was begun is finished and answered, and the process says that all went well.

A real `pserve` on a real database. A request that takes long is one that waits for what the test holds in the
database. How the server ends, connection by connection, is in tests/unit/test_server.py.
"""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import traffic
from tests.faults.serving import WAIT_SECONDS, Server, check_books, server_on

CLIENTS = 6
CALLS = 2_000
ANSWERED_BEFORE_SIGNAL = 40
SEED = 11

JSON = {"Content-Type": "application/json"}

pytestmark = [pytest.mark.slow, pytest.mark.commits]

MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(database: str, tmp_path: Path) -> Iterator[MakeServer]:
    """Return a function that starts a server with settings of its own."""
    made: list[Server] = []

    def make(**settings: object) -> Server:
        made.append(server_on(database, tmp_path, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def database(dialect: str, fresh_database_url: Callable[[str], str]) -> str:
    return fresh_database_url(dialect)


@contextmanager
def writes_held(url: str) -> Iterator[None]:
    """Let no one write until the block is left."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    hold = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN; LOCK TABLE ledgers IN EXCLUSIVE MODE"
    with engine.connect() as connection:
        connection.exec_driver_sql(hold)
        yield
        connection.exec_driver_sql("ROLLBACK")


def ledgers(url: str) -> list[str]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return list(connection.scalars(sa.text("SELECT name FROM ledgers")))


def begin_slow_request(server: Server) -> http.client.HTTPConnection:
    """Send a request that will wait, and return once it is being worked on."""
    connection = server.connect()
    connection.request("POST", "/v1/ledgers", json.dumps({"name": "slow"}), JSON)
    # The server reads and works in the order of arrival: it began the first before it answers the second.
    assert server.get("/healthz")[0] == 200
    return connection


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str, str | None]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers["Connection"]


def wait_until_not_ready(connection: http.client.HTTPConnection) -> tuple[int, str, str | None]:
    """Return the first answer of /readyz that is not 200."""
    return next(answer for _ in within(WAIT_SECONDS) if (answer := ask(connection, "/readyz"))[0] != 200)


def wait_until_refused(server: Server) -> None:
    next(None for _ in within(WAIT_SECONDS) if is_refused(server))


def is_refused(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # Who comes in the very moment in which the doors close.
        return False
    return False


def within(seconds: float) -> Iterator[None]:
    """Yield now and then until the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.01)


class TestPromise24ShutDown:
    def test_under_load_every_request_is_answered_and_every_acknowledged_write_is_there_once(
        self, make_server: MakeServer
    ):
        server = make_server(drain_seconds=1)
        traffic.open_books(lambda path, body, headers: server.post(path, body, headers)[0])
        calls = traffic.calls(SEED, CALLS)

        answers = answers_until_closed(server, calls)

        assert len(answers) < CALLS, "the signal came too late to interrupt anything"
        assert server.ended() == 0
        server.start()
        check_books(server, [call for call in calls if answers.get(call.key) == 201])

    @pytest.mark.parametrize(
        ("dialect", "number"), [("sqlite", signal.SIGINT), ("postgresql", signal.SIGTERM)], indirect=["dialect"]
    )
    def test_says_not_ready_then_closes_its_doors_then_finishes(
        self, make_server: MakeServer, database: str, number: signal.Signals
    ):
        server = make_server(drain_seconds=1)
        with closing(server.connect()) as probe, writes_held(database):
            slow = begin_slow_request(server)
            assert ask(probe, "/readyz")[0::2] == (200, None)
            server.signal(number)

            status, body, connection = wait_until_not_ready(probe)
            assert (status, json.loads(body)["code"], connection) == (503, "unavailable", "close")
            assert ask(probe, "/healthz")[0] == 200
            wait_until_refused(server)
            assert server.process is not None
            assert server.process.poll() is None

        with closing(slow):
            answer = slow.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (201, "close")
            assert json.loads(answer.read())["name"] == "slow"
        assert server.ended() == 0
        assert ledgers(database) == ["slow"]

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_cuts_off_what_is_not_finished_at_the_bound(self, make_server: MakeServer, database: str):
        server = make_server(shutdown_seconds=0.7)
        with closing(socket.create_connection(("127.0.0.1", server.port))) as half, writes_held(database):
            half.sendall(b"POST /v1/ledgers HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            slow = begin_slow_request(server)
            began = time.monotonic()
            server.signal(signal.SIGTERM)

            assert server.ended() == 0
            assert 0.7 <= time.monotonic() - began < 4
            assert half.recv(1) == b""
            with closing(slow), pytest.raises(ConnectionError):
                slow.getresponse()

        assert "2 request(s) cut off after 0.7 s" in server.log.read_text()
        assert ledgers(database) == []

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_a_second_time_ends_at_once(self, make_server: MakeServer, database: str):
        server = make_server()
        with writes_held(database):
            slow = begin_slow_request(server)
            server.signal(signal.SIGTERM)
            wait_until_refused(server)
            began = time.monotonic()
            server.signal(signal.SIGTERM)

            assert server.ended() == -signal.SIGTERM
            assert time.monotonic() - began < 2
            with closing(slow), pytest.raises(ConnectionError):
                slow.getresponse()
        assert ledgers(database) == []


def answers_until_closed(server: Server, calls: Sequence[traffic.Call]) -> dict[str, int]:
    """Send the calls from several clients, end the server on the way, and return the status of each that was sent.

    Each client keeps its connection until an answer says that it is the last; none may find it closed before that.
    """
    next_call = itertools.count()
    answers: dict[str, int] = {}
    enough = threading.Event()

    def work() -> None:
        with closing(server.connect()) as connection:
            while (number := next(next_call)) < len(calls):
                call = calls[number]
                connection.request("POST", call.path, json.dumps(call.body), JSON | {"Idempotency-Key": call.key})
                answer = connection.getresponse()
                answer.read()
                answers[call.key] = answer.status
                if number >= ANSWERED_BEFORE_SIGNAL:
                    enough.set()
                if answer.headers["Connection"] == "close":
                    return

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(work) for _ in range(CLIENTS)]
        assert enough.wait(WAIT_SECONDS)
        server.signal(signal.SIGTERM)
        for client in clients:
            client.result()
    return answers
