"""What does a request cost the thread that serves it?

The strategies take turns in short rounds, in an order drawn anew for each, so that what else the machine does falls on
all alike. A figure is the median of the rounds; a ratio is taken within each round, and is the median of those. The
CPU is the thread's own: waiting for the database costs nothing here.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

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
    Strategy,
)

SEED = 5
MICROSECONDS = 1e6
ACCOUNTS = 100
WARM_UP = 50
# The others are these with more threads, or with a rollback less.
MEASURED = (PROCESS_ROLLBACK, THREAD_ROLLBACK, THREAD_REMOVED, SCOPE_FUNCTION, CALL, REQUEST)

# A strategy's name, and whether its sessions expire on commit.
Key = tuple[str, bool]
REFERENCE: Key = (REQUEST.name, False)


@dataclass(frozen=True)
class Turns:
    """One application, and what its requests took in each round."""

    application: Application
    reads: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    def take(self, requests: int) -> None:
        self.reads.append(_round(self.application, self.application.get, requests))
        self.changes.append(_round(self.application, self.application.post, requests))


def measure(setups: Sequence[Setup], *, rounds: int, requests: int) -> Mapping[Key, Cost]:
    """Return the cost of each strategy with each setup, in one series of rounds."""
    order = random.Random(SEED)
    with ExitStack() as stack:

        def start(strategy: Strategy, setup: Setup) -> Turns:
            application = stack.enter_context(serve(strategy, setup, threads=1))
            _round(application, application.get, WARM_UP)
            _round(application, application.post, WARM_UP)
            return Turns(application)

        turns = {(each.name, setup.expire_on_commit): start(each, setup) for each in MEASURED for setup in setups}
        for _ in range(rounds):
            for each in order.sample(list(turns.values()), len(turns)):
                each.take(requests)
    return {key: _cost(each, turns[REFERENCE]) for key, each in turns.items()}


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


def _cost(turns: Turns, reference: Turns) -> Cost:
    return Cost(
        read_microseconds=statistics.median(turns.reads),
        read_ratio=_ratio(turns.reads, reference.reads),
        change_microseconds=statistics.median(turns.changes),
        change_ratio=_ratio(turns.changes, reference.changes),
        read_rounds=turns.reads,
        change_rounds=turns.changes,
    )


def _ratio(rounds: Sequence[float], reference: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(rounds, reference, strict=True))
