"""One strategy at work: a WSGI application, and the threads that serve it for as long as it lives.

The threads call the application themselves, without a socket: a server's threads would hold the same sessions, and so
the CPU of a request can be told from that of its transport.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.router import Router
from sqlalchemy.engine import Engine

from tests.benchmarks.sessions.strategies import Setup, Strategy

SECONDS_MAX = 120
KEPT_MAX = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class Turns:
    """One request waits in its middle until it is told to go on."""

    waiting: threading.Event = field(default_factory=threading.Event)
    going_on: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.waiting.set()
        self.going_on.wait(SECONDS_MAX)


@dataclass(frozen=True)
class Answer:
    """What came back; `text` is the error's name where something went wrong."""

    status: int
    text: str

    @property
    def is_good(self) -> bool:
        return self.status == 200


@dataclass(frozen=True, kw_only=True)
class Application:
    """A served strategy."""

    router: Router
    engine: Engine
    threads: int
    pool: ThreadPoolExecutor
    turns: Turns

    def get(self, account: int, *, by: str = "get") -> Answer:
        return self._ask("GET", f"/accounts/{account}?by={by}")

    def post(self, account: int) -> Answer:
        return self._ask("POST", f"/accounts/{account}")

    def transfer(self, account: int, name: str, *, fault: str = "none") -> Answer:
        """Move one from an account to the next; in between wait or fail, if asked to."""
        return self._ask("POST", f"/accounts/{account}/transfers/{name}?fault={fault}")

    def on_each_thread(self, work: Callable[[int], T]) -> list[T]:
        """Run the work on every serving thread at the same time, each with its number."""
        barrier = threading.Barrier(self.threads)

        def run(number: int) -> T:
            barrier.wait(SECONDS_MAX)
            return work(number)

        running = [self.pool.submit(run, number) for number in range(self.threads)]
        return [each.result(SECONDS_MAX) for each in running]

    def _ask(self, method: str, path: str) -> Answer:
        request = Request.blank(path, method=method)
        try:
            status, _headers, body = request.call_application(self.router)
            return Answer(int(status[:3]), b"".join(body).decode())
        # A failed commit passes the exception views by; a server would answer 500.
        except Exception as exc:  # noqa: BLE001
            return Answer(500, type(exc).__name__)


@contextmanager
def serve(
    strategy: Strategy, setup: Setup, *, keeps: bool = False, threads: int | None = None
) -> Iterator[Application]:
    """Serve the application; with `keeps` it holds on to the last objects that it showed."""
    config = Configurator()
    config.registry["kept"] = deque(maxlen=KEPT_MAX if keeps else 0)
    config.registry["turns"] = turns = Turns()
    installed = strategy.install(config, setup)
    router, threads = config.make_wsgi_app(), threads or strategy.threads
    with ThreadPoolExecutor(threads) as pool:
        served = Application(router=router, engine=installed.engine, threads=threads, pool=pool, turns=turns)
        try:
            yield served
        finally:
            served.on_each_thread(lambda _number: installed.leave())
    installed.engine.dispose()
