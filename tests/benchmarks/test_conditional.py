"""A request is made conditional with the tag that its account has now, and is well answered by 304 alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.benchmarks.benches import conditional
from tests.benchmarks.load.order import Call
from tests.benchmarks.running import Load, Server


class Tagging(BaseHTTPRequestHandler):
    """Has the path as the tag of each resource, and none of one; `/moved` has another each time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        tag = f'"{self.path}-{id(self)}"' if self.path == "/moved" else f'"{self.path}"'
        is_unchanged = self.headers["If-None-Match"] == tag
        self.send_response(304 if is_unchanged else 200)
        if self.path != "/untagged":
            self.send_header("ETag", tag)
        # As some servers do, a 304 tells the length of what it leaves out.
        self.send_header("Content-Length", "5")
        self.end_headers()
        if not is_unchanged:
            self.wfile.write(b"whole")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Tagging) as serving:
        serving.daemon_threads = True
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield Server(command=[], environment={}, port=serving.server_port, log=tmp_path / "log")
        serving.shutdown()
        thread.join()


def give(server: Server, *paths: str) -> dict[str, int]:
    calls = conditional.unchanged(server, [Call(path=path) for path in paths])
    outcome = server.give(Load(calls=calls, seconds=30, key="k", connections=2, requests_max=20))
    return {**outcome.statuses, "accepted": outcome.accepted, "refused": outcome.refused}


class TestUnchanged:
    def test_is_answered_304_which_is_as_expected(self, server: Server):
        assert give(server, "/a", "/b", "/a") == {"304": 20, "accepted": 20, "refused": 0}

    def test_is_not_well_where_the_whole_is_answered(self, server: Server):
        assert give(server, "/a", "/moved") == {"304": 10, "200": 10, "accepted": 10, "refused": 10}

    def test_needs_a_tag(self, server: Server):
        with pytest.raises(RuntimeError, match="without an ETag"):
            conditional.unchanged(server, [Call(path="/untagged")])
