"""A server killed in the middle of its work loses nothing it acknowledged, and doubles nothing when asked again.

A real `pserve` in a process of its own, on a real database; SIGKILL gives it no chance to tidy up.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import traffic

CLIENTS = 6
KILLS = 3
CALLS_PER_KILL = 150
ACKNOWLEDGED_BEFORE_KILL = 40
START_SECONDS = 30
SEED = 7

INI = """
[app:main]
use = egg:myapp
sqlalchemy.url = {url}
myapp.auth = open

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
threads = 8
"""


@dataclass
class Server:
    """A `pserve` that can be killed and started again on the same port."""

    ini: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "pyramid.scripts.pserve", str(self.ini)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, "pserve ended at its start"
            assert time.monotonic() < deadline, "pserve did not answer"
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path, None, {})

    def post(self, path: str, body: object, headers: Mapping[str, str]) -> tuple[int, str]:
        return self.ask("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})

    def ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, fresh_database_url: Callable[[str], str], tmp_path: Path
) -> Iterator[Server]:
    ini, port = tmp_path / "killed.ini", free_port()
    ini.write_text(INI.format(url=fresh_database_url(request.param).replace("%", "%%"), port=port))
    server = Server(ini, port)
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


def check_books(server: Server, accepted: Sequence[traffic.Call]) -> None:
    """The books hold each acknowledged request once, and every invariant."""
    status, body = server.get(f"{traffic.LEDGER}/accounts")
    assert status == 200
    found = {
        (account["path"], currency, side): traffic.cents(balance[f"{side}s"])
        for account in json.loads(body)["items"]
        for currency, balance in account["balances"].items()
        for side in ("debit", "credit")
        if traffic.cents(balance[f"{side}s"])
    }
    assert found == dict(traffic.total(accepted))
    status, body = server.get(f"{traffic.LEDGER}/verify")
    assert status == 200
    assert json.loads(body)["holds"] is True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
