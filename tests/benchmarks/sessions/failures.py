"""What becomes of units of work, the failed one's and its neighbours', when some fail in the middle?

Every transfer has a name and two legs. The clients note what they were answered; afterwards the legs are counted from
outside. A transfer that was accepted has two, any other has none.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from tests.benchmarks.sessions.application import SECONDS_MAX, Answer, Application, serve
from tests.benchmarks.sessions.findings import Failures, Share
from tests.benchmarks.sessions.outside import Outside
from tests.benchmarks.sessions.strategies import Setup, Strategy

SEED = 3
LEGS = 2
# Of ten transfers, two fail in the middle, and the last never does.
FAULTS = ("none", "none", "none", "none", "none", "none", "none", "FAULT", "FAULT")


@dataclass(frozen=True)
class Asked:
    """One transfer that a client asked for."""

    name: str
    fault: str
    answer: Answer


def measure(strategy: Strategy, setup: Setup, outside: Outside, requests: int) -> Failures:
    """Run transfers of which some fail by the application's fault, then again by the database's."""
    asked: list[Asked] = []
    for fault in ("application", "database"):
        with serve(strategy, setup) as application:
            asked += _run(application, f"{strategy.name} {setup.expire_on_commit} {fault}", fault, requests)
    undone = undoes_its_neighbours_work(strategy, setup, outside) if strategy.threads > 1 else None
    return _judge(asked, outside.legs(), undone)


def undoes_its_neighbours_work(strategy: Strategy, setup: Setup, outside: Outside) -> bool:
    """Let a request fail while another thread's is in its middle, and say whether that one lost what it was told."""
    name = f"{strategy.name} {setup.expire_on_commit} neighbour"
    with serve(strategy, setup, threads=2) as application:

        def run(thread: int) -> Answer:
            if thread == 0:
                return application.transfer(_account(thread), name, fault="wait")
            application.turns.waiting.wait(SECONDS_MAX)
            failed = application.transfer(_account(thread), f"{name} that fails", fault="application")
            application.turns.going_on.set()
            return failed

        waited, _failed = application.on_each_thread(run)
    return waited.is_good and outside.legs()[name] != LEGS


def _run(application: Application, prefix: str, fault: str, requests: int) -> list[Asked]:
    def run(thread: int) -> list[Asked]:
        shuffled = random.Random(SEED + thread)
        done = []
        for number in range(requests):
            chosen = shuffled.choice(FAULTS) if number % 10 else "none"
            name, chosen = f"{prefix} {thread} {number}", fault if chosen == "FAULT" else chosen
            done.append(Asked(name, chosen, application.transfer(_account(thread), name, fault=chosen)))
        return done

    return [each for asked in application.on_each_thread(run) for each in asked]


def _account(thread: int) -> int:
    return 2 * thread


def _judge(asked: list[Asked], legs: Counter[str], undone: bool | None) -> Failures:
    accepted = [each for each in asked if each.answer.is_good]
    rejected = [each for each in asked if not each.answer.is_good]
    healthy = [each for each in asked if each.fault == "none"]
    refused = [each for each in healthy if not each.answer.is_good]
    return Failures(
        half_done=Share(count=sum(legs[each.name] > 0 for each in rejected), of=len(rejected)),
        lost=Share(count=sum(legs[each.name] != LEGS for each in accepted), of=len(accepted)),
        refused=Share(count=len(refused), of=len(healthy)),
        undone=undone,
        errors=dict(Counter(each.answer.text for each in refused)),
    )
