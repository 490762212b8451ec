"""The generator sends what it is ordered to, counts what comes back, and lets no pause of a server hide."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.architecture.house_rules import ROOT
from tests.benchmarks.load import generator
from tests.benchmarks.load.order import Call, Order, Outcome

PAUSE_SECONDS = 0.5
HANG_SECONDS = 3.0


class Answering(BaseHTTPRequestHandler):
    """Answers by the path: 201 as a rule, something else where it says so."""

    protocol_version = "HTTP/1.1"
    # Or the client waits 40 ms for what is sent in two pieces.
    wbufsize = -1
    keys: list[str]
    paths: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        self.do_GET()

    def do_GET(self) -> None:
        self.paths.append(self.path)
        if self.path == "/pause" and self.paths.count("/pause") == 20:
            time.sleep(PAUSE_SECONDS)
        if self.path == "/hang":
            time.sleep(HANG_SECONDS)
        if self.path == "/hang-up":
            self.close_connection = True
            return
        body = b"said no" if self.path == "/refuse" else b"done" * 100
        self.send_response(409 if self.path == "/refuse" else 201)
        if self.path == "/close":
            self.send_header("Connection", "close")
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (Answering,), {"keys": [], "paths": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        serving.daemon_threads = True
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def carry_out(server: ThreadingHTTPServer, *paths: str, body: str | None = "{}", **how: float | int) -> Outcome:
    values = {"connections": 2, "seconds": 30.0, "key": "run"} | how
    order = Order(port=server.server_port, calls=[Call(path=path, body=body) for path in paths], **values)
    command = [sys.executable, "-m", "tests.benchmarks.load.generator"]
    done = subprocess.run(
        command, cwd=ROOT, input=order.to_json(), capture_output=True, text=True, check=True, timeout=60
    )
    return Outcome.from_json(done.stdout)


class TestClosedLoop:
    def test_sends_each_request_with_a_key_of_its_own_and_counts_the_answers(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/a", "/b", requests_max=50)

        assert outcome.statuses == {"201": 50}
        assert outcome.accepted == 50
        assert outcome.refused == 0
        assert sorted(set(server.RequestHandlerClass.paths)) == ["/a", "/b"]
        assert len(set(server.RequestHandlerClass.keys)) == 50
        assert all(re.fullmatch(r"run-\d+", key) for key in server.RequestHandlerClass.keys)
        assert 0 < outcome.latency["p50"] <= outcome.latency["p99"] <= outcome.latency["max"]

    def test_counts_what_is_refused_and_keeps_the_first_answer(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/a", "/refuse", requests_max=20)

        assert outcome.statuses == {"201": 10, "409": 10}
        assert outcome.refused == 10
        assert outcome.first_refusal is not None
        assert outcome.first_refusal.endswith("said no")

    def test_reads_answers_in_chunks(self, server: ThreadingHTTPServer):
        assert carry_out(server, "/chunks", body=None, requests_max=20).statuses == {"201": 20}

    def test_goes_on_over_a_new_connection_when_one_is_lost(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/a", "/a", "/hang-up", requests_max=30)

        assert outcome.statuses == {"201": 20, "lost": 10}
        assert outcome.lost == 10

    def test_loses_nothing_where_the_server_closes_after_an_answer(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/close", requests_max=30)

        assert outcome.statuses == {"201": 30}

    def test_ends_when_its_time_is_over(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/a", seconds=0.3)

        assert outcome.accepted > 2
        assert outcome.seconds == pytest.approx(0.3, abs=0.25)


class TestOpenLoop:
    def test_sends_as_many_as_fall_due(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/a", rate=100.0, seconds=0.5, connections=8)

        assert outcome.statuses == {"201": 50}
        assert outcome.lag is not None

    def test_counts_the_wait_of_those_that_fell_due_in_a_pause(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/pause", rate=100.0, seconds=1.0, connections=1)

        # Half of the requests fell due while the server paused; a client that waits would report one slow answer.
        assert outcome.statuses == {"201": 100}
        assert outcome.latency["max"] >= PAUSE_SECONDS * 1000
        assert outcome.latency["p95"] >= PAUSE_SECONDS * 1000 / 2

    def test_counts_what_it_gives_up_with_the_time_that_it_waited(self, server: ThreadingHTTPServer):
        outcome = carry_out(server, "/hang", rate=50.0, seconds=0.5, connections=1, patience_seconds=0.2)

        assert outcome.statuses == {"lost": 25}
        assert outcome.latency["max"] >= 700
        assert 200 <= outcome.latency["p50"] < HANG_SECONDS * 1000


class TestRequests:
    def test_are_whole_and_as_long_as_they_say(self):
        calls = [Call(path="/a", body='{"é": 1}'), Call(path="/b")]
        order = Order(port=80, calls=calls, connections=1, seconds=1, key="k", headers={"Authorization": "Bearer x"})
        made = generator.requests(order)

        post, get, again = next(made), next(made), next(made)

        head, body = post.split(b"\r\n\r\n")
        assert head.startswith(b"POST /a HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Bearer x\r\n" in head
        assert b"\r\nContent-Length: %d\r\n" % len(body) in head
        assert head.endswith(b"\r\nIdempotency-Key: k-0")
        assert get.startswith(b"GET /b HTTP/1.1\r\n")
        assert get.endswith(b"\r\n\r\n")
        assert again == post.replace(b"k-0", b"k-2")
