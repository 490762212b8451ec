"""How many statements does a request send, once the application is warm?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.benchmarks.sessions.application import serve
from tests.benchmarks.sessions.findings import Statements
from tests.benchmarks.sessions.strategies import Setup, Strategy

REQUESTS = 10
# What sets a transaction up differs by driver and by settings; it is no matter of the session's life.
COUNTED = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass
class Count:
    """What an engine was asked to do."""

    statements: int = 0
    ends: int = 0


def measure(strategy: Strategy, setup: Setup) -> Statements:
    """Count what the requests of one thread send, each for the same account."""
    with serve(strategy, setup, threads=1) as application:
        read = _per_request(application.engine, lambda: application.on_each_thread(lambda _: application.get(1)))
        change = _per_request(application.engine, lambda: application.on_each_thread(lambda _: application.post(1)))
    with serve(strategy, setup, threads=1, keeps=True) as application:
        kept = _per_request(application.engine, lambda: application.on_each_thread(lambda _: application.get(1)))
    return Statements(
        read=read.statements / REQUESTS,
        ends_read=read.ends / REQUESTS,
        change=change.statements / REQUESTS,
        ends_change=change.ends / REQUESTS,
        read_kept=kept.statements / REQUESTS,
    )


def _per_request(engine: Engine, ask: Callable[[], object]) -> Count:
    ask()
    with _counting(engine) as count:
        for _ in range(REQUESTS):
            ask()
    return count


@contextmanager
def _counting(engine: Engine) -> Iterator[Count]:
    count = Count()

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        count.statements += text.lstrip().upper().startswith(COUNTED)

    def end(_connection: Any) -> None:
        count.ends += 1

    listeners = (("before_cursor_execute", statement), ("commit", end), ("rollback", end))
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield count
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)
