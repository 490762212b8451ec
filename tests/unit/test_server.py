"""How the server ends, seen from its sockets: a real one in a thread, around an application of a few lines."""

from __future__ import annotations

import gc
import logging
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from waitress import wasyncore

from myapp import server, settings
from myapp.db import engine as engines
from myapp.server import connections, loop
from myapp.server.connections import Channel
from myapp.server.watch import Watch

WAIT_SECONDS = 10
# More than the system takes for a client that reads nothing.
LARGE_BYTES = 32 * 1024 * 1024
HOST = "127.0.0.1"


@dataclass
class Slow:
    """An application whose answer to /slow waits until the test lets it go."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    finished: list[str] = field(default_factory=list)
    was_ending: list[bool] = field(default_factory=list)
    was_leaving: list[bool] = field(default_factory=list)

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/large":
            start_response("200 OK", [("Content-Length", str(LARGE_BYTES))])
            return (b"x" * 65536 for _ in range(LARGE_BYTES // 65536))
        if path.startswith("/broken"):
            raise RuntimeError
        if path == "/exit":
            raise SystemExit
        if path == "/slow":
            self.begun.set()
            assert self.go_on.wait(WAIT_SECONDS)
        body = environ["wsgi.input"].read() + path.encode()
        self.was_ending.append(environ["myapp.shutting_down"].is_set())
        self.was_leaving.append(environ["myapp.leaving"].is_set())
        self.finished.append(path)
        if path.startswith(("/204", "/304")):
            start_response(f"{path[1:4]} Nothing", [])
            return []
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@dataclass
class Served:
    """A server in a thread, and what is known of it."""

    server: server.Server
    application: Slow
    port: int
    thread: threading.Thread

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=WAIT_SECONDS)

    def channels_left(self) -> int:
        """Wait until no connection is left, and return how many are all the same."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.server._channels() and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.server._channels())

    def ended(self) -> bool:
        """Wait for the end."""
        self.thread.join(WAIT_SECONDS)
        return not self.thread.is_alive()


Serve = Callable[..., Served]


@pytest.fixture
def serve(caplog: pytest.LogCaptureFixture) -> Iterator[Serve]:
    """Return a function that starts a server; all are ended with the test, and none may have logged an error."""
    caplog.set_level(logging.INFO, "myapp.server")
    started: list[Served] = []

    def start(
        *,
        run: bool = True,
        listen: str | None = None,
        adjusted: Mapping[str, object] | None = None,
        tally: Counts | None = None,
        **wanted: float,
    ) -> Served:
        port = free_port()
        application = Slow()
        # So long that nothing happens in time unless the loop is woken for it.
        adjustments = {"listen": listen or f"{HOST}:{port}", "asyncore_loop_timeout": 2 * WAIT_SECONDS}
        adjustments |= adjusted or {}
        made = server.Server(application, settings.Server(**wanted), adjustments, tally=tally)
        started.append(Served(made, application, port, threading.Thread(target=made.run, daemon=True)))
        if run:
            started[-1].thread.start()
        return started[-1]

    yield start
    for each in started:
        each.application.go_on.set()
        each.server.end()
        assert each.ended()
    assert not [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a connection for idle as soon as the doors are closed."""
    monkeypatch.setattr(loop, "LINGER_SECONDS", 0)


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look ten times a second whose time has come."""
    monkeypatch.setattr(loop, "LOOK_SECONDS", 0.1)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return when the loop began a turn."""
    begun: list[float] = []
    turn = Watch.turn

    def noting(watch: Watch, seconds: float) -> None:
        begun.append(time.monotonic())
        turn(watch, seconds)

    monkeypatch.setattr(Watch, "turn", noting)
    return begun


def reset(connection: socket.socket) -> None:
    """Close it as one who is in a hurry."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def request(path: str, *, version: str = "1.1", headers: str = "") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n".encode()


def read_all(connection: socket.socket) -> str:
    """Return what still comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def read_answer(connection: socket.socket, body: str) -> str:
    """Return an answer that ends with `body`, on a connection that stays open."""
    received = ""
    while not received.endswith(body):
        received += connection.recv(65536).decode()
    return received


def wait_until_refused(port: int, host: str = HOST) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        # Reset is who comes in the very moment in which the doors close.
        with suppress(ConnectionResetError):
            try:
                socket.create_connection((host, port), timeout=WAIT_SECONDS).close()
            except ConnectionRefusedError:
                return
        time.sleep(0.01)
    pytest.fail("the server went on accepting")


class TestAnswers:
    def test_go_out_whole(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/whole"))
            # What arrives together was sent together.
            assert client.recv(65536).endswith(b"/whole")

    @pytest.mark.parametrize("status", ["204", "304"])
    def test_without_a_body_leave_the_connection_open(self, serve: Serve, status: str):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request(f"/{status}"))
            answer = read_answer(client, "\r\n\r\n")
            client.sendall(request("/next", headers="Connection: close\r\n"))
            following = read_all(client)
        assert answer.startswith(f"HTTP/1.1 {status}")
        assert "Connection" not in answer
        assert following.endswith("/next")

    @pytest.mark.parametrize(("version", "headers"), [("1.0", ""), ("1.1", "Connection: close\r\n")])
    def test_without_a_body_close_it_where_the_client_wants_that(self, serve: Serve, version: str, headers: str):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/304", version=version, headers=headers))
            assert "\r\nConnection: close\r\n" in read_all(client)


class TestWatch:
    def test_asks_no_connection_on_which_nothing_happens(self, serve: Serve, monkeypatch: pytest.MonkeyPatch):
        # Its time comes for none meanwhile.
        monkeypatch.setattr(loop, "LOOK_SECONDS", 2 * WAIT_SECONDS)
        asked: list[Channel] = []
        readable = Channel.readable
        served = serve()
        with ExitStack() as clients:
            for client in [clients.enter_context(closing(served.connect())) for _ in range(5)]:
                client.sendall(request("/"))
                read_answer(client, "/")
            monkeypatch.setattr(Channel, "readable", lambda each: asked.append(each) or readable(each))
            for _ in range(10):
                client.sendall(request("/"))
                read_answer(client, "/")

        (_busy, often), *others = Counter(asked).most_common()
        assert often >= 20
        # The thread may just have been about to ask for its last answer.
        assert all(times <= 1 for _idle, times in others)

    def test_takes_a_turn_for_a_request_and_none_for_its_answer(self, serve: Serve, turns: list[float]):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/"))
            read_answer(client, "/")
            before = len(turns)
            for _ in range(10):
                # So that the thread is done with the answer before: what comes earlier takes another turn or two.
                time.sleep(0.02)
                client.sendall(request("/"))
                read_answer(client, "/")

            assert len(turns) - before <= 12

    @pytest.mark.parametrize("meanwhile", ["another request", "end of what it sends", "reset"])
    def test_rests_while_a_client_that_is_being_served_does_something(
        self, serve: Serve, turns: list[float], meanwhile: str
    ):
        served = serve()
        client = served.connect()
        client.sendall(request("/slow"))
        assert served.application.begun.wait(WAIT_SECONDS)
        before = len(turns)
        if meanwhile == "another request":
            client.sendall(request("/second"))
        elif meanwhile == "end of what it sends":
            client.shutdown(socket.SHUT_WR)
        else:
            reset(client)
        time.sleep(0.3)
        assert len(turns) - before <= 2
        served.application.go_on.set()

        if meanwhile == "another request":
            read_answer(client, "/second")
        elif meanwhile == "end of what it sends":
            assert read_all(client).endswith("/slow")
        client.close()
        with closing(served.connect()) as other:
            other.sendall(request("/other"))
            read_answer(other, "/other")

    def test_sends_what_a_client_takes_late(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/large", headers="Connection: close\r\n"))
            time.sleep(0.3)

            _head, body = read_all(client).split("\r\n\r\n")
            assert len(body) == LARGE_BYTES

    @pytest.mark.usefixtures("in_a_hurry")
    def test_gives_up_a_client_that_takes_nothing(self, serve: Serve):
        served = serve(adjusted={"channel_timeout": 1, "asyncore_loop_timeout": 0.1})
        with closing(served.connect()) as client:
            client.sendall(request("/large"))
            time.sleep(3)
            with pytest.raises((ConnectionResetError, AssertionError)):
                assert len(read_all(client)) > LARGE_BYTES

    def test_sends_nothing_twice_and_closes_in_its_own_thread(self, serve: Serve, monkeypatch: pytest.MonkeyPatch):
        send, delete = wasyncore.dispatcher.send, Watch.__delitem__
        closed_by: list[str] = []

        def sending_slowly(channel: Channel, data: bytes, do_close: bool = True) -> int:
            sent = send(channel, data, do_close)
            if threading.current_thread().name.startswith("waitress-"):
                # As a thread does that waits for its turn after the system call.
                time.sleep(0.005)
            return sent

        def noting(watch: Watch, number: int) -> None:
            closed_by.append(threading.current_thread().name)
            delete(watch, number)

        monkeypatch.setattr(wasyncore.dispatcher, "send", sending_slowly)
        monkeypatch.setattr(Watch, "__delitem__", noting)
        served = serve()
        asked = request("/") + request("/late", headers="Content-Length: 5\r\nExpect: 100-continue\r\n")
        for _ in range(20):
            with closing(served.connect()) as client:
                client.sendall(asked)
                answer = read_answer(client, "100 Continue\r\n\r\n")
                client.sendall(b"hello")
                answer += read_answer(client, "hello/late")
                assert answer.count("100 Continue") == 1
        for _ in range(20):
            client = served.connect()
            client.sendall(asked)
            reset(client)

        assert not [name for name in closed_by if name.startswith("waitress-")]

    def test_accepts_again_once_a_place_is_free(self, serve: Serve):
        fixtures = 3
        served = serve(adjusted={"connection_limit": fixtures + 1})
        with closing(served.connect()) as waiting_for_long:
            waiting_for_long.sendall(request("/first"))
            read_answer(waiting_for_long, "/first")
            with closing(served.connect()) as next_in_line:
                next_in_line.sendall(request("/next"))
                next_in_line.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    next_in_line.recv(1)
                next_in_line.settimeout(WAIT_SECONDS)
                waiting_for_long.close()

                read_answer(next_in_line, "/next")


class TestEnd:
    def test_waits_for_no_request_that_tried_to_end_the_process(self, caplog: pytest.LogCaptureFixture, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/exit"))
            assert read_all(client) == ""
        served.server.end()

        assert served.ended()
        assert "SystemExit" in caplog.text
        caplog.clear()

    @pytest.mark.usefixtures("no_patience")
    def test_finishes_a_request_in_a_worker_and_closes_its_connection(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/slow"))
            assert served.application.begun.wait(WAIT_SECONDS)
            served.server.end()
            wait_until_refused(served.port)
            served.thread.join(0.2)
            served.application.go_on.set()

            answer = read_all(client)

        assert answer.startswith("HTTP/1.1 200")
        assert "\r\nConnection: close\r\n" in answer
        assert answer.endswith("/slow")
        assert served.ended()

    @pytest.mark.usefixtures("no_patience")
    def test_finishes_a_request_that_arrives_in_pieces(self, serve: Serve):
        served = serve()
        whole = request("/late", headers="Content-Length: 6\r\n") + b"hello "
        with closing(served.connect()) as client:
            client.sendall(whole[:20])
            # Once another that came later has its answer, the first part was read.
            with closing(served.connect()) as other:
                other.sendall(request("/other"))
                read_answer(other, "/other")
            served.server.end()
            wait_until_refused(served.port)
            served.thread.join(0.2)
            client.sendall(whole[20:])

            assert read_all(client).endswith("hello /late")
        assert served.ended()

    def test_finishes_requests_sent_at_once_and_closes_after_the_last(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/slow") + request("/second"))
            assert served.application.begun.wait(WAIT_SECONDS)
            served.server.end()
            wait_until_refused(served.port)
            served.application.go_on.set()

            first, second = re.findall(r"HTTP/1\.1 200 OK.*?/(?:slow|second)", read_all(client), re.DOTALL)

        assert "Connection: close" not in first
        assert "Connection: close" in second
        assert served.ended()

    def test_says_so_to_an_older_client_that_would_keep_the_connection(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/slow", version="1.0", headers="Connection: keep-alive\r\n"))
            assert served.application.begun.wait(WAIT_SECONDS)
            served.server.end()
            served.application.go_on.set()

            assert re.findall("Connection: .*", read_all(client)) == ["Connection: close\r"]

    def test_finishes_a_request_whose_client_hung_up(self, serve: Serve, caplog: pytest.LogCaptureFixture):
        # With it the server notices that the client hung up, and forgets the connection.
        served = serve(adjusted={"channel_request_lookahead": 1})
        client = served.connect()
        client.sendall(request("/slow"))
        assert served.application.begun.wait(WAIT_SECONDS)
        client.close()
        served.server.end()
        wait_until_refused(served.port)
        served.thread.join(0.5)
        assert served.thread.is_alive()
        served.application.go_on.set()

        assert served.ended()
        assert served.application.finished == ["/slow"]
        assert "every request was finished" in caplog.text

    def test_lets_nobody_forge_a_line_of_the_log(self, serve: Serve, caplog: pytest.LogCaptureFixture):
        served = serve()
        with served.connect() as client:
            client.sendall(request("/broken%0D%0Amethod=GET%20status=200"))
            assert "500" in read_all(client)

        (record,) = [each for each in caplog.records if "/broken" in each.getMessage()]
        assert record.getMessage() == "Exception while serving /broken%0D%0Amethod=GET status=200"
        caplog.clear()

    def test_hears_who_was_connected_before_the_doors_closed(self, serve: Serve):
        served = serve(run=False)
        clients = [served.connect() for _ in range(3)]
        for client in clients:
            client.sendall(request("/waiting"))
        served.server.end()
        served.thread.start()

        assert [read_all(client)[-len("/waiting") :] for client in clients] == ["/waiting"] * 3
        for client in clients:
            client.close()

    def test_is_not_held_up_by_idle_connections(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as used, closing(served.connect()) as silent:
            used.sendall(request("/first"))
            assert "Connection: close" not in read_answer(used, "/first")
            began = time.monotonic()
            served.server.end()

            assert read_all(used) == read_all(silent) == ""
            assert served.ended()
        assert time.monotonic() - began < loop.LINGER_SECONDS + 2

    def test_wakes_a_server_to_which_nothing_happens(self, serve: Serve):
        served = serve()
        # Until it waits for its sockets, for twice as long as the test does.
        served.thread.join(0.2)
        served.server.end()

        assert served.ended()

    def test_still_answers_on_a_connection_that_was_idle(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/first"))
            read_answer(client, "/first")
            served.server.end()
            client.sendall(request("/second"))

            assert "\r\nConnection: close\r\n" in read_all(client)
        assert served.application.was_ending == served.application.was_leaving == [False, True]

    def test_accepts_while_it_drains(self, serve: Serve):
        served = serve(drain_seconds=0.7)
        began = time.monotonic()
        served.server.end()
        for _ in range(2):
            with closing(served.connect()) as client:
                client.sendall(request("/new"))
                assert "\r\nConnection: close\r\n" in read_all(client)
        assert served.ended()
        assert time.monotonic() - began >= 0.7

    def test_cuts_off_what_takes_longer_than_the_bound(self, serve: Serve, caplog: pytest.LogCaptureFixture):
        served = serve(shutdown_seconds=0.6)
        with closing(served.connect()) as half:
            half.sendall(b"POST /half HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
            began = time.monotonic()
            served.server.end()

            assert read_all(half) == ""
            assert served.ended()
        assert 0.6 <= time.monotonic() - began < 3
        assert "1 request(s) cut off after 0.6 s" in caplog.text

    def test_closes_every_address_it_listened_on(self, serve: Serve):
        first, second = free_port(), free_port()
        served = serve(listen=f"{HOST}:{first} [::1]:{second}")
        with (
            closing(socket.create_connection((HOST, first))) as one,
            closing(socket.create_connection(("::1", second))) as other,
        ):
            one.sendall(request("/slow"))
            other.sendall(request("/other"))
            read_answer(other, "/other")
            assert served.application.begun.wait(WAIT_SECONDS)
            served.server.end()

            wait_until_refused(first)
            wait_until_refused(second, "::1")
            served.application.go_on.set()
            assert read_all(one).endswith("/slow")


class TestRetire:
    def test_leaves_new_connections_to_others_at_once_and_does_not_say_that_the_service_ends(self, serve: Serve):
        served = serve(drain_seconds=WAIT_SECONDS, adjusted={"asyncore_loop_timeout": 1})
        with closing(served.connect()) as kept:
            kept.sendall(request("/first"))
            read_answer(kept, "/first")
            served.server.retire()
            wait_until_refused(served.port)
            kept.sendall(request("/second"))

            assert "\r\nConnection: close\r\n" in read_all(kept)
        assert served.application.was_ending == [False, False]
        assert served.application.was_leaving == [False, True]

    def test_ends_once_nobody_is_connected(self, serve: Serve):
        served = serve(drain_seconds=2 * WAIT_SECONDS)
        with closing(served.connect()) as kept:
            kept.sendall(request("/first"))
            read_answer(kept, "/first")
            served.server.retire()
            wait_until_refused(served.port)
            served.thread.join(0.2)
            assert served.thread.is_alive()

        assert served.ended()

    def test_finishes_what_is_in_flight(self, serve: Serve):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(request("/slow"))
            assert served.application.begun.wait(WAIT_SECONDS)
            served.server.retire()
            wait_until_refused(served.port)
            served.thread.join(loop.LINGER_SECONDS + 0.2)
            served.application.go_on.set()

            assert read_all(client).endswith("/slow")
        assert served.ended()


class TestTally:
    def test_counts_connections_alone(self, serve: Serve):
        counts = Counts()
        served = serve(tally=counts)
        with closing(served.connect()) as one, closing(served.connect()) as other:
            for client in (one, other):
                client.sendall(request("/"))
                read_answer(client, "/")
            other.sendall(request("/again"))
            read_answer(other, "/again")

            assert counts.set_to[0] == 0
            assert counts.set_to[-1] == 2

    def test_lets_others_accept_first_who_have_fewer(self, serve: Serve, monkeypatch: pytest.MonkeyPatch):
        waited: list[float] = []
        monkeypatch.setattr(loop.time, "sleep", waited.append)
        counts = Counts()
        served = serve(tally=counts)
        for is_ahead in (False, True):
            counts.ahead = is_ahead
            with closing(served.connect()) as client:
                client.sendall(request("/"))
                read_answer(client, "/")

        assert waited == [loop.YIELD_SECONDS]


@dataclass
class Counts:
    """A tally that says what the test wants."""

    ahead: bool = False
    set_to: list[int] = field(default_factory=list)

    def set(self, count: int) -> None:
        self.set_to.append(count)

    def is_ahead(self) -> bool:
        return self.ahead


class TestHostileClients:
    def test_take_their_half_sent_bodies_along(self, serve: Serve):
        served = serve()
        half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"x" * 700_000
        before = kept_files()
        # What is in a cycle would stay until somebody looks for it.
        gc.disable()
        try:
            for _ in range(5):
                with closing(served.connect()) as client:
                    client.sendall(half)
            assert served.channels_left() == 0
            assert kept_files() == before
        finally:
            gc.enable()

    def test_wait_at_the_door_where_there_is_no_room(self, serve: Serve, turns: list[float], caplog: Any):
        served = serve()
        bounds = resource.getrlimit(resource.RLIMIT_NOFILE)
        with closing(socket.socket()) as client:
            client.settimeout(WAIT_SECONDS)
            full = os.dup(client.fileno())
            os.close(full)
            resource.setrlimit(resource.RLIMIT_NOFILE, (full, bounds[1]))
            try:
                client.connect((HOST, served.port))
                client.sendall(request("/"))
                time.sleep(0.5)
                taken = len(turns)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, bounds)
            read_answer(client, "/")

        assert taken <= 6
        assert [record.message for record in caplog.records if "Nobody is let in" in record.message]

    @pytest.mark.parametrize(
        "asked",
        [
            request("/first", headers="Expect: 100-continue\r\n"),
            b"POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        ],
        ids=["no body", "an empty one"],
    )
    def test_get_their_answer_if_they_ask_to_send_nothing(self, serve: Serve, asked: bytes):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(asked)
            assert read_answer(client, "/first").startswith("HTTP/1.1 200")
            client.sendall(request("/second"))
            read_answer(client, "/second")

    def test_are_refused_what_they_ask_to_send(self, serve: Serve):
        served = serve(adjusted={"max_request_body_size": 1000})
        with closing(served.connect()) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n")
            assert read_all(client).startswith("HTTP/1.1 413")

    @pytest.mark.usefixtures("in_a_hurry")
    def test_may_be_slow_as_long_as_they_take_something(self, serve: Serve):
        served = serve(adjusted={"channel_timeout": 1, "asyncore_loop_timeout": 0.1})
        with closing(slow_reader(served)) as client:
            client.sendall(request("/large", headers="Connection: close\r\n"))
            taken = 0
            for _ in range(40):
                time.sleep(0.1)
                taken += len(client.recv(4096))

            assert taken + len(read_all(client)) > LARGE_BYTES

    @pytest.mark.usefixtures("in_a_hurry")
    def test_are_given_up_if_they_leave_all_of_it_to_the_system(self, serve: Serve):
        served = serve(adjusted={"channel_timeout": 1, "asyncore_loop_timeout": 0.1})
        with closing(slow_reader(served)) as client:
            client.sendall(request("/" + "x" * 200_000))
            deadline = time.monotonic() + WAIT_SECONDS
            while not served.application.finished or served.server._channels():
                assert time.monotonic() < deadline
                time.sleep(0.05)

    @pytest.mark.parametrize("ends", [False, True], ids=["of a connection", "of a server"])
    def test_get_the_last_answer_whatever_they_send_behind_it(self, serve: Serve, ends: bool):
        served = serve(adjusted={"asyncore_loop_timeout": 1})
        with closing(slow_reader(served)) as client:
            client.sendall(request("/large", headers="Connection: close\r\n") + request("/another") * 10_000)
            if ends:
                served.server.end()
            # So long that the server is done with it, and has no more patience.
            time.sleep(loop.LINGER_SECONDS + 0.5)

            assert len(read_all(client)) > LARGE_BYTES

    def test_hold_no_file_and_no_retirement_behind_their_last_answer(self, serve: Serve):
        served = serve(drain_seconds=WAIT_SECONDS, adjusted={"asyncore_loop_timeout": 1})
        before = kept_files()
        with closing(served.connect()) as client:
            client.sendall(request("/large", headers="Connection: close\r\n"))
            assert len(read_all(client)) > LARGE_BYTES
            parted = time.monotonic()
            served.server.retire()

            assert kept_files() == before
            assert served.ended()
            assert time.monotonic() - parted < WAIT_SECONDS / 2

    def test_are_refused_what_they_send_unasked(self, serve: Serve):
        served = serve(adjusted={"max_request_body_size": 1000})
        with closing(served.connect()) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
            client.sendall(bytes(50_000_000))
            assert read_all(client).startswith("HTTP/1.1 413")

        assert served.channels_left() == 0

    @pytest.mark.usefixtures("in_a_hurry")
    @pytest.mark.parametrize(("bound", "sends"), [("PARTING_SECONDS", False), ("PARTING_SECONDS_MAX", True)])
    def test_are_given_up_if_they_stay_behind_their_last_answer(
        self, serve: Serve, bound: str, sends: bool, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(connections, bound, 0.3)
        served = serve(adjusted={"asyncore_loop_timeout": 1})
        with closing(served.connect()) as client:
            client.sendall(request("/", headers="Connection: close\r\n"))
            assert read_all(client).startswith("HTTP/1.1 200")
            deadline = time.monotonic() + WAIT_SECONDS
            while served.server._channels():
                assert time.monotonic() < deadline
                with suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(b"x" * sends)
                time.sleep(0.01)

    @pytest.mark.parametrize("line", [b"0" * 5000, b"0\r\n" + b"x" * 5000], ids=["chunk", "trailer"])
    def test_end_a_line_between_chunks_some_time(self, serve: Serve, line: bytes):
        served = serve()
        with closing(served.connect()) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + line)
            while not select.select([client], [], [], 0.1)[0]:
                client.sendall(b"0")
            assert read_all(client).startswith("HTTP/1.1 400")


def kept_files() -> int:
    """Return how many files this process holds that nobody else can find."""
    names = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(name.endswith("(deleted)") for name in names)


def slow_reader(served: Served) -> socket.socket:
    """Return a connection whose client's system takes little on its own."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(WAIT_SECONDS)
    client.connect((HOST, served.port))
    return client


class TestMake:
    @pytest.fixture(autouse=True)
    def _garbage_as_before(self) -> Iterator[None]:
        threshold = gc.get_threshold()
        yield
        gc.set_threshold(*threshold)

    def test_names_each_bad_setting_of_its_own(self):
        with pytest.raises(SystemExit) as stopped:
            server.make({}, shutdown_seconds="soon", drain_seconds="-1", port="0")

        assert re.findall("[a-z]+_seconds", str(stopped.value)) == ["shutdown_seconds", "drain_seconds"]

    @pytest.mark.parametrize("address", ["6560", "127.0.0.1", ":6560", "127.0.0.1:x", "127.0.0.1:0", "a/b:1"])
    def test_takes_only_an_address_with_a_port_for_each_of_several(self, address: str):
        with pytest.raises(SystemExit, match=r"worker_listen = .*: expected host:port"):
            server.make({}, worker_listen=address)

    @pytest.mark.parametrize("address", ["127.0.0.1:6560", "[::1]:6560", "metrics.internal:6560"])
    def test_tells_where_it_listens(self, address: str):
        made = server.make({}, worker_listen=address, host="127.0.0.1", port="0", threads="1")

        assert made.addresses == {"host": "127.0.0.1", "port": "0", "worker_listen": address}

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [({"thread": "4"}, "thread"), ({"threads": "four"}, "four"), ({"listen": "127.0.0.1:none"}, "Invalid")],
    )
    def test_says_what_waitress_does_not_take(self, wrong: dict[str, str], said: str):
        with pytest.raises(SystemExit, match=said):
            server.make({}, **wrong)

    def test_searches_for_no_garbage_while_the_application_is_imported(self):
        """In a process of its own, as pserve goes: the server is made, then the application is imported."""
        order = (
            "import gc, sys, myapp.server;"
            "rooms = {'sqlalchemy', 'myapp.db', 'myapp.api', 'myapp.ledger'} & sys.modules.keys();"
            "myapp.server.make({}, port='0');"
            "before = sum(each['collections'] for each in gc.get_stats());"
            "import myapp.api, myapp.db, myapp.meeting;"
            "print(sorted(rooms), sum(each['collections'] for each in gc.get_stats()) - before)"
        )

        done = subprocess.run([sys.executable, "-c", order], capture_output=True, text=True, check=True)

        assert done.stdout == "[] 0\n"

    def test_serves_in_any_thread_and_empties_the_pools_at_its_end(self, tmp_path: Path):
        handlers = [signal.getsignal(each) for each in server.SIGNALS]
        engine = engines.build(settings.Database(url=f"sqlite:///{tmp_path}/pool.sqlite"))
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        assert engine.pool.checkedin() == 1

        port = free_port()
        thread = threading.Thread(target=server.make({}, listen=f"{HOST}:{port}"), args=[end_at_once], daemon=True)
        thread.start()
        with closing(connect_once_it_listens(port)) as client:
            client.sendall(request("/"))
            assert read_all(client).endswith("last")
        thread.join(WAIT_SECONDS)

        assert not thread.is_alive()
        assert engine.pool.checkedin() == 0
        assert [signal.getsignal(each) for each in server.SIGNALS] == handlers


def end_at_once(environ, start_response):
    """End the server from inside, which an application should leave to others."""
    environ["myapp.shutting_down"].set()
    start_response("200 OK", [("Content-Length", "4")])
    return [b"last"]


def connect_once_it_listens(port: int) -> socket.socket:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return socket.create_connection((HOST, port), timeout=WAIT_SECONDS)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
