"""The client against a server that answers as a busy or broken service would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from myapp.scripts.importing import service
from myapp.scripts.importing.service import Service, ServiceError, Unreachable, address

BODY = {"name": "demo"}
DROP = (0, {})
CREATED = (201, {"name": "demo"})


@dataclass
class Server:
    """Gives the answers in turn, the last one again and again, and remembers the keys it was sent."""

    answers: list[tuple[int, dict[str, object]]]
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            server.keys.append(self.headers["Idempotency-Key"])
            status, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if status:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with these answers; nobody waits between attempts."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    running: list[HTTPServer] = []

    def serve(*answers: tuple[int, dict[str, object]]) -> Server:
        server = Server(answers=list(answers))
        listening = HTTPServer(("127.0.0.1", 0), handler_of(server))
        running.append(listening)
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        server.url = f"http://127.0.0.1:{listening.server_port}"
        return server

    yield serve
    for listening in running:
        listening.shutdown()
        listening.server_close()


@pytest.fixture
def post():
    """Return a function that posts to a server and closes the connection."""

    def post(server: Server) -> service.Json:
        client = Service(server.url, key=None)
        try:
            return client.post("ledgers", body=BODY)
        finally:
            client.close()

    return post


class TestService:
    @pytest.mark.parametrize("code", ["unavailable", "overloaded", "conflict", "outcome-unknown"])
    def test_repeats_what_may_pass_with_the_same_key(self, serve, post, code):
        server = serve((503, {"code": code}), (503, {"code": code}), CREATED)
        assert post(server) == {"name": "demo"}
        assert len(server.keys) == 3
        assert len(set(server.keys)) == 1
        assert server.keys[0]

    def test_repeats_when_the_answer_is_lost(self, serve, post):
        server = serve(DROP, CREATED)
        assert post(server) == {"name": "demo"}
        assert len(server.keys) == 2

    def test_gives_up_after_some_attempts(self, serve, post):
        server = serve(DROP)
        with pytest.raises(Unreachable, match="does not answer"):
            post(server)
        assert len(server.keys) == service.ATTEMPTS

    def test_says_what_a_busy_service_says_in_the_end(self, serve, post):
        with pytest.raises(ServiceError, match=r"503 overloaded: Later\."):
            post(serve((503, {"code": "overloaded", "detail": "Later."})))

    def test_does_not_repeat_what_is_refused(self, serve, post):
        server = serve((422, {"code": "unbalanced-transaction", "detail": "Off by 1.", "index": 3}))
        with pytest.raises(ServiceError) as refused:
            post(server)
        assert (refused.value.status, refused.value.code, refused.value.index) == (422, "unbalanced-transaction", 3)
        assert len(server.keys) == 1

    def test_understands_an_answer_that_is_not_the_services(self, serve, post):
        with pytest.raises(ServiceError, match="404 http-404"):
            post(serve((404, {})))


class TestAddress:
    def test_quotes_each_segment(self):
        assert address("ledgers", "a b", "accounts", "assets:é/x") == "/v1/ledgers/a%20b/accounts/assets:%C3%A9%2Fx"

    def test_has_a_query(self):
        assert address("ledgers", limit="5", after="x=&") == "/v1/ledgers?limit=5&after=x%3D%26"
