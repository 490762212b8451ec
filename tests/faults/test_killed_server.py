"""A server killed in the middle of its work loses nothing it acknowledged, and doubles nothing when asked again.

A real `pserve` in a process of its own, on a real database; SIGKILL gives it no chance to tidy up.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import traffic
from tests.faults.serving import START_SECONDS, Server, check_books, server_on

pytestmark = pytest.mark.long

CLIENTS = 6
KILLS = 3
CALLS_PER_KILL = 150
ACKNOWLEDGED_BEFORE_KILL = 40
SEED = 7


@pytest.fixture(params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, fresh_database_url: Callable[[str], str], tmp_path: Path
) -> Iterator[Server]:
    server = server_on(fresh_database_url(request.param), tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
@pytest.mark.commits
def test_keeps_what_it_acknowledged_and_doubles_nothing(server: Server) -> None:
    traffic.open_books(lambda path, body, headers: server.post(path, body, headers)[0])
    acknowledged: dict[str, str] = {}
    calls: list[traffic.Call] = []

    for kill in range(KILLS):
        new = traffic.calls(SEED + kill, CALLS_PER_KILL)
        answers = interrupted(server, new)
        calls += new
        acknowledged |= {key: body for key, (status, body) in answers.items() if status == 201}
        unanswered = [call for call in new if call.key not in answers]
        assert unanswered, "the kill came too late to interrupt anything"
        server.start()

    again = {call.key: server.post(call.path, call.body, {"Idempotency-Key": call.key}) for call in calls}
    for key, body in acknowledged.items():
        assert again[key] == (201, body)
    check_books(server, [call for call in calls if again[call.key][0] == 201])


def interrupted(server: Server, calls: Sequence[traffic.Call]) -> dict[str, tuple[int, str]]:
    """Send the calls from several clients, kill the server on the way, and return what it had answered."""
    waiting = iter(calls)
    lock = threading.Lock()
    answers: dict[str, tuple[int, str]] = {}
    enough = threading.Event()

    def work() -> None:
        while (call := take()) is not None:
            try:
                answers[call.key] = server.post(call.path, call.body, {"Idempotency-Key": call.key})
            except (OSError, http.client.HTTPException):
                enough.set()
                return
            if sum(status == 201 for status, _ in list(answers.values())) >= ACKNOWLEDGED_BEFORE_KILL:
                enough.set()

    def take() -> traffic.Call | None:
        with lock:
            return next(waiting, None)

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(work) for _ in range(CLIENTS)]
        enough.wait(START_SECONDS)
        server.kill()
        for client in clients:
            client.result()
    return answers
