"""The whole experiment: every strategy, on both databases, with `expire_on_commit` on and off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from tests.benchmarks.sessions import cpu, failures, leftovers, memory, staleness, statements, strategies, tables
from tests.benchmarks.sessions.findings import Findings
from tests.benchmarks.sessions.outside import Outside, look_from
from tests.benchmarks.sessions.strategies import Setup, Strategy

Say = Callable[[str], None]

EXPIRE_ON_COMMIT = (True, False)
MEMORY_DIALECT = "postgresql"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done: requests per thread, and the rounds in which the CPU is measured."""

    requests: int = 40
    cpu_rounds: int = 25
    cpu_requests: int = 40
    memory_requests: int = 10_000


def run(empty_url: Callable[[], str], size: Size, say: Say) -> Iterator[Findings]:
    """Yield what is found on one kind of database; `empty_url` makes a new one."""
    found = [
        _examine(strategy, empty_url(), expire_on_commit, size, say)
        for expire_on_commit in EXPIRE_ON_COMMIT
        for strategy in strategies.ALL
    ]
    say("CPU per request, in turns")
    setups = [_set_up(empty_url(), expire_on_commit) for expire_on_commit in EXPIRE_ON_COMMIT]
    costs = cpu.measure(setups, rounds=size.cpu_rounds, requests=size.cpu_requests)
    for each in found:
        yield dataclasses.replace(each, cost=costs.get((each.strategy, each.expire_on_commit)))


def _examine(strategy: Strategy, url: str, expire_on_commit: bool, size: Size, say: Say) -> Findings:
    setup = _set_up(url, expire_on_commit)
    dialect = sa.make_url(url).get_backend_name()
    say(f"{dialect}, expire_on_commit {'on' if expire_on_commit else 'off'}: {strategy.title}")
    with look_from(url) as outside:
        found = _measure(strategy, setup, outside, size.requests)
    # Measured once, for its time: neither the database nor expiring makes a difference to it.
    if dialect == MEMORY_DIALECT and expire_on_commit and strategy in cpu.MEASURED:
        found = dataclasses.replace(found, memory=memory.measure(strategy, setup, size.memory_requests))
    return found


def _measure(strategy: Strategy, setup: Setup, outside: Outside, requests: int) -> Findings:
    return Findings(
        strategy=strategy.name,
        title=strategy.title,
        dialect=outside.engine.dialect.name,
        expire_on_commit=setup.expire_on_commit,
        staleness=staleness.measure(strategy, setup, outside, requests),
        failures=failures.measure(strategy, setup, outside, requests),
        leftovers=leftovers.measure(strategy, setup, outside),
        statements=statements.measure(strategy, setup),
    )


def _set_up(url: str, expire_on_commit: bool) -> Setup:
    tables.create(url)
    return Setup(url=url, expire_on_commit=expire_on_commit)
