"""What is left in memory after many requests? Each strategy has a process of its own, so that none inherits.

python -m tests.benchmarks.sessions.memory STRATEGY URL REQUESTS     prints the findings as JSON
"""

from __future__ import annotations

import dataclasses
import gc
import json
import subprocess
import sys
from pathlib import Path

import psutil
from sqlalchemy.orm import Session

from tests.benchmarks.sessions import strategies
from tests.benchmarks.sessions.application import Application, serve
from tests.benchmarks.sessions.findings import Memory
from tests.benchmarks.sessions.strategies import Setup, Strategy
from tests.benchmarks.sessions.tables import ACCOUNTS

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
SECONDS_MAX = 120
# One request in ten writes.
CHANGES = 10


def measure(strategy: Strategy, setup: Setup, requests: int) -> Memory:
    """Run the requests in a new process and return what it found in itself."""
    command = [sys.executable, "-m", __name__, strategy.name, setup.url, str(requests)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=SECONDS_MAX)
    return Memory(**json.loads(done.stdout))


def look(strategy: Strategy, setup: Setup, requests: int) -> Memory:
    """Serve a tenth of the requests to warm up, then all of them, and compare."""
    with serve(strategy, setup, threads=1) as application:
        _ask(application, requests // 10)
        before = _resident()
        _ask(application, requests)
        grown = _resident() - before
        alive = [each for each in gc.get_objects() if isinstance(each, Session)]
        objects = sum(len(session.identity_map) for session in alive)
        return Memory(requests=requests, grown_mib=grown / MIB, sessions=len(alive), objects=objects)


def _ask(application: Application, requests: int) -> None:
    def run(_thread: int) -> None:
        for number in range(requests):
            ask = application.get if number % CHANGES else application.post
            ask(number % ACCOUNTS)

    application.on_each_thread(run)


def _resident() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


def _main(name: str, url: str, requests: str) -> None:
    strategy = next(each for each in strategies.ALL if each.name == name)
    found = look(strategy, Setup(url=url, expire_on_commit=True), int(requests))
    sys.stdout.write(json.dumps(dataclasses.asdict(found)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
