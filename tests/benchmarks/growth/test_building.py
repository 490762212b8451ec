"""Building goes on where it was, and sends again what it does not know to be recorded, with the key that it had."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.benchmarks.growth import building
from tests.benchmarks.growth.building import BATCH, LINES, Builder, State
from tests.benchmarks.growth.history import History
from tests.benchmarks.running import Server

SHOP = History(accounts=3, transactions_a_day=10)


class Recording(BaseHTTPRequestHandler):
    """Answers 201, and 503 to the one batch that is in `refused`."""

    protocol_version = "HTTP/1.1"
    keys: list[str]
    refused: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.keys.append(key)
        assert len(json.loads(body)["transactions"]) == BATCH
        self.send_response(503 if key in self.refused else 201)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"not now")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (Recording,), {"keys": [], "refused": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        serving.daemon_threads = True
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def builder(service: ThreadingHTTPServer, directory: Path) -> tuple[Builder, State]:
    server = Server(command=[], environment={}, port=service.server_port, log=directory / "log")
    state = State.read(directory / "large.json")
    return Builder(server, SHOP, state, lambda: 4_000), state


class TestBuilder:
    def test_sends_each_batch_and_tells_how_far_it_is(self, service: ThreadingHTTPServer, tmp_path: Path):
        told: list[str] = []

        builder(service, tmp_path)[0].grow(2, told.append)

        assert sorted(service.RequestHandlerClass.keys) == ["growth-3-0", "growth-3-1"]
        assert told == ["2,000 postings", "4,000 postings"]

    def test_goes_on_behind_what_it_has_recorded(self, service: ThreadingHTTPServer, tmp_path: Path):
        builder(service, tmp_path)[0].grow(2, len)
        service.RequestHandlerClass.keys.clear()

        again, state = builder(service, tmp_path)
        again.grow(3, len)

        assert service.RequestHandlerClass.keys == ["growth-3-2"]
        assert state.postings == 3 * BATCH * LINES
        assert [note.postings for note in state.notes] == [4_000, 6_000]
        assert all(note.per_second > 0 and note.database_bytes == 4_000 for note in state.notes)

    def test_stops_where_a_batch_is_refused_and_sends_it_again(self, service: ThreadingHTTPServer, tmp_path: Path):
        service.RequestHandlerClass.refused.append("growth-3-1")
        with pytest.raises(RuntimeError, match="Batch 1 was refused: 503 not now"):
            builder(service, tmp_path)[0].grow(4, len)
        assert State.read(tmp_path / "large.json").batches == 1

        service.RequestHandlerClass.refused.clear()
        again, state = builder(service, tmp_path)
        again.grow(4, len)

        # What was sent meanwhile had its key, and so has it again.
        assert set(service.RequestHandlerClass.keys) == {f"growth-3-{number}" for number in range(4)}
        assert state.batches == 4

    def test_leaves_what_is_there_already(self, service: ThreadingHTTPServer, tmp_path: Path):
        builder(service, tmp_path)[0].grow(2, len)
        builder(service, tmp_path)[0].grow(1, len)

        assert State.read(tmp_path / "large.json").batches == 2


class TestSizes:
    def test_are_the_marks_on_the_way_and_the_end_in_batches(self):
        assert building.sizes(200_000, [10_000, 100_000, 1_000_000]) == [5, 50, 100]
        assert building.sizes(10_000, [10_000]) == [5]
        assert building.sizes(3_000, [10_000]) == [2]
