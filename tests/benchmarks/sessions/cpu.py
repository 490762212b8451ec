"""What does a request cost the thread that serves it?

Every figure is a median of rounds in which the strategies take turns, in an order drawn anew for each round, so that
what else the machine does falls on all alike. The CPU is the thread's own: waiting for the database costs nothing here.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from tests.benchmarks.sessions.application import Answer, Application, serve
from tests.benchmarks.sessions.findings import Cost
from tests.benchmarks.sessions.strategies import (
    CALL,
    PROCESS_ROLLBACK,
    REQUEST,
    SCOPE_FUNCTION,
    THREAD_REMOVED,
    THREAD_ROLLBACK,
    Setup,
)

SEED = 5
MICROSECONDS = 1e6
ACCOUNTS = 100
# The others are these with more threads, or with a rollback less.
MEASURED = (PROCESS_ROLLBACK, THREAD_ROLLBACK, THREAD_REMOVED, SCOPE_FUNCTION, CALL, REQUEST)


def measure(setup: Setup, *, rounds: int, requests: int) -> Mapping[str, Cost]:
    """Return the cost of each strategy by its name."""
    order = random.Random(SEED)
    reads: dict[str, list[float]] = {strategy.name: [] for strategy in MEASURED}
    changes: dict[str, list[float]] = {strategy.name: [] for strategy in MEASURED}
    with ExitStack() as stack:
        served = {each.name: stack.enter_context(serve(each, setup, threads=1)) for each in MEASURED}
        for application in served.values():
            _round(application, application.get, requests // 5)
        for _ in range(rounds):
            for name, application in order.sample(list(served.items()), len(served)):
                reads[name].append(_round(application, application.get, requests))
                changes[name].append(_round(application, application.post, requests))
    return {name: _cost(reads[name], changes[name]) for name in served}


def _round(application: Application, ask: Callable[[int], Answer], requests: int) -> float:
    """Return the microseconds of CPU that a request took the application's one thread."""

    def run(_thread: int) -> float:
        start = time.thread_time()
        answers = [ask(number % ACCOUNTS) for number in range(requests)]
        spent = time.thread_time() - start
        if not all(answer.is_good for answer in answers):
            raise RuntimeError(f"A request failed while its cost was measured: {answers}")
        return spent / requests * MICROSECONDS

    (microseconds,) = application.on_each_thread(run)
    return microseconds


def _cost(reads: Sequence[float], changes: Sequence[float]) -> Cost:
    return Cost(
        read=statistics.median(reads),
        read_range=(min(reads), max(reads)),
        change=statistics.median(changes),
        change_range=(min(changes), max(changes)),
    )
