"""A real `pserve` in a process of its own, with the means to end it in every way and to see what it left."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests import traffic

# As a server that somebody started in the foreground; a run of the tests in the background ignores SIGINT.
HEEDING_SIGINT = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
START_SECONDS = 30
WAIT_SECONDS = 30

INI = """
[app:main]
use = egg:myapp
sqlalchemy.url = {url}
myapp.auth = open

[server:main]
use = egg:myapp#server
listen = 127.0.0.1:{port}
threads = 8
{more}
"""


@dataclass
class Server:
    """A `pserve` that can be ended and started again on the same port."""

    ini: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.ini.with_suffix(".log")

    @property
    def command(self) -> Sequence[str]:
        return ["-m", "pyramid.scripts.pserve", str(self.ini)]

    def start(self) -> None:
        command = [sys.executable, "-c", HEEDING_SIGINT, *self.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, close_fds=False)
        deadline = time.monotonic() + 2 * START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, f"it ended at its start:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, "it did not answer"
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end and return the exit code."""
        assert self.process is not None
        return self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path, None, {})

    def post(self, path: str, body: object, headers: Mapping[str, str]) -> tuple[int, str]:
        return self.ask("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})

    def ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, str]:
        with closing(self.connect()) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that can be used for several requests."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)


@dataclass
class Servers(Server):
    """A `myapp serve` of several processes; it is started once all are ready."""

    processes: int = 2

    @property
    def command(self) -> Sequence[str]:
        return ["-m", "myapp.scripts.main", "serve", str(self.ini), f"--processes={self.processes}"]

    def answers(self) -> bool:
        return "workers are ready" in self.log.read_text()

    def workers(self) -> set[int]:
        """Return the processes that serve, or are about to."""
        assert self.process is not None
        return {each.pid for each in psutil.Process(self.process.pid).children()}

    def replace(self, old: str, new: str) -> None:
        """Change the settings in the file."""
        text = self.ini.read_text()
        assert old in text
        self.ini.write_text(text.replace(old, new))

    def wait_for_log(self, line: str, *, times: int = 1) -> None:
        deadline = time.monotonic() + 3 * START_SECONDS
        while self.log.read_text().count(line) < times:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


def server_on(url: str, directory: Path, **settings: object) -> Server:
    """Return a server for a database, with settings of its own for the section of the server; it is not started."""
    port = free_port()
    return Server(_ini(url, directory, port, settings), port)


def servers_on(url: str, directory: Path, **settings: object) -> Servers:
    """Return several servers behind one port, otherwise as `server_on`."""
    port = free_port()
    return Servers(_ini(url, directory, port, settings), port)


def _ini(url: str, directory: Path, port: int, settings: Mapping[str, object]) -> Path:
    ini = directory / f"serving-{port}.ini"
    more = "\n".join(f"{key} = {value}" for key, value in settings.items())
    ini.write_text(INI.format(url=url.replace("%", "%%"), port=port, more=more))
    return ini


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
