"""A real receiver of webhooks: it checks each signature as any receiver would, and remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One message whose signature was right; `answer` is what it was answered."""

    path: str
    id: str
    body: dict[str, Any]
    answer: int


class Receiver:
    """What was received, in its order; `answer` decides on each message."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.secrets: dict[str, str] = {}
        self.answer: Callable[[dict[str, Any]], int] = lambda _body: 204
        self.url = ""

    def seqs(self, path: str = "/") -> list[int]:
        return [each.body["seq"] for each in self.received if each.path == path]

    def taken(self, path: str = "/") -> list[int]:
        """Return the numbers that were taken, in the order in which they were for the first time."""
        found = [each.body["seq"] for each in self.received if each.path == path and each.answer < 300]
        return list(dict.fromkeys(found))


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Lend a receiver; messages to a path are verified with the secret that is told for it."""
    made = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # Raises where a signature is wrong; the connection is cut off then.
            verified = Webhook(made.secrets[self.path]).verify(body, dict(self.headers.items()))
            with lock:
                status = made.answer(verified)
                made.received.append(Received(self.path, self.headers["webhook-id"], verified, status))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", made.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
