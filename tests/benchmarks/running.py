"""A side under way: something that can be given a load, and says what CPU it has taken so far."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from tests.benchmarks.cluster import cpu_seconds
from tests.benchmarks.load.order import Call, Order, Outcome

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_SECONDS = 60
ANSWER_SECONDS = 120
SECONDS_MAX = 600
# Of what a server wrote before it ended, in characters.
LOG_TOLD = 4_000
# As many clients as the sides have connections to the database.
CONNECTIONS = 8
# Clients of an open loop, which may all wait at once and be refused by none.
OPEN_CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a side is given: a closed loop, or an open one at `rate` requests a second."""

    calls: Sequence[Call]
    seconds: float
    key: str
    connections: int = CONNECTIONS
    rate: float | None = None
    requests_max: int | None = None


class Running(Protocol):
    """A side that can be given a load."""

    def give(self, load: Load) -> Outcome:
        """Give it the load and return what came of it."""

    def cpu_seconds(self) -> float:
        """Return the CPU of its processes so far."""

    def stop(self) -> None:
        """End its processes."""


@dataclass(kw_only=True)
class Server:
    """A server in processes of its own, which listens on `port`."""

    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    log: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env=dict(self.environment), stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.command[0]} does not serve:\n{self.log.read_text(encoding='utf-8')}")
            time.sleep(0.05)

    def give(self, load: Load) -> Outcome:
        order = Order(
            port=self.port,
            calls=load.calls,
            connections=load.connections,
            seconds=load.seconds,
            key=load.key,
            rate=load.rate,
            requests_max=load.requests_max,
            headers=self.headers,
        )
        command = [sys.executable, "-m", "tests.benchmarks.load.generator"]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                input=order.to_json(),
                capture_output=True,
                text=True,
                check=True,
                timeout=SECONDS_MAX,
            )
        except subprocess.CalledProcessError as exc:
            raise RuntimeError(f"No load could be given:\n{exc.stderr}\n{self._end_told()}") from exc
        return Outcome.from_json(done.stdout)

    def _end_told(self) -> str:
        """Say what became of the server."""
        code = None if self._process is None else self._process.poll()
        last = self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TOLD:] if self.log.exists() else ""
        return "It still runs." if code is None else f"It ended with {code}, and wrote:\n{last}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Its process and those that it started."""
        return [self.pid, *(each.pid for each in psutil.Process(self.pid).children(recursive=True))]

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def stop(self) -> None:
        """Kill the server with its workers: nothing is in flight any more, and an orderly end would take its time."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(START_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
