"""`python -m tests.benchmarks.load.statements`: send one statement over and over, in a bare loop around the driver.

The order comes on standard input, the outcome goes to the output, both as JSON. Each connection has a thread; the
statement is prepared, the parameters come as text and go out as they are, and nothing of an answer is read but how
many transactions were recorded. Only ids are made, since each has to be new.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from tests.benchmarks.load import percentiles
from tests.benchmarks.load.order import Outcome

MILLISECONDS = 1000
CONNECT_SECONDS = 60
# Three hexadecimal digits.
RUN_MAX = 0xFFF
FAILED, SHORT = "failed", "short"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What goes in once: texts by name, and arrays of ids by the places of those among the new ones."""

    texts: Mapping[str, str | None]
    ids: Mapping[str, Sequence[int]]
    # Of transactions that are recorded.
    count: int


@dataclass(frozen=True, kw_only=True)
class StatementOrder:
    """A closed loop; the answer is a JSON array, and `result` the place of how many transactions were recorded."""

    url: str
    text: str
    result: int
    parameters: Sequence[Parameters]
    connections: int
    seconds: float
    requests_max: int | None = None

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StatementOrder:
        values = json.loads(text)
        return cls(**values | {"parameters": [Parameters(**each) for each in values["parameters"]]})


@dataclass
class Seen:
    """What one connection saw; the latencies are in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    first_refusal: str | None = None


class Loop:
    """The loop of all connections under way."""

    def __init__(self, order: StatementOrder) -> None:
        self._order = order
        self._next = itertools.count()
        self._started = threading.Barrier(order.connections + 1)
        self._run = int.from_bytes(os.urandom(2)) & RUN_MAX
        self.seen = [Seen() for _ in range(order.connections)]

    def carry_out(self) -> float:
        """Send until the time is over, and return the seconds until the last answer."""
        with ThreadPoolExecutor(len(self.seen)) as pool:
            threads = [pool.submit(self._work, each) for each in self.seen]
            self._started.wait(CONNECT_SECONDS)
            began = time.perf_counter()
            for thread in threads:
                thread.result()
            return time.perf_counter() - began

    def _work(self, seen: Seen) -> None:
        with psycopg.connect(self._order.url, autocommit=True) as connection:
            self._started.wait(CONNECT_SECONDS)
            until = time.perf_counter() + self._order.seconds
            while time.perf_counter() < until:
                number = next(self._next)
                if self._order.requests_max is not None and number >= self._order.requests_max:
                    return
                self._send(connection, number, seen)

    def _send(self, connection: psycopg.Connection, number: int, seen: Seen) -> None:
        parameters = self._order.parameters[number % len(self._order.parameters)]
        values = {**parameters.texts, **with_ids(parameters, head(self._run, number))}
        began = time.perf_counter()
        try:
            cursor = connection.execute(self._order.text, values, prepare=True)
            status = self._judge(cursor, parameters)
        except psycopg.Error as exc:
            status, refusal = FAILED, str(exc)
            seen.first_refusal = seen.first_refusal or refusal
        seen.latencies.append((time.perf_counter() - began) * MILLISECONDS)
        seen.statuses[status] += 1

    def _judge(self, cursor: psycopg.Cursor, parameters: Parameters) -> str:
        assert cursor.pgresult is not None
        answer = (cursor.pgresult.get_value(0, 0) or b"").split(b",", self._order.result + 1)
        return "200" if int(answer[self._order.result]) == parameters.count else SHORT


def head(run: int, number: int) -> str:
    """Return what the ids of a request begin with: as in a UUIDv7 the milliseconds, then what no other request has."""
    return f"{time.time_ns() // 1_000_000:012x}7{run:03x}8{number:07x}"


def with_ids(parameters: Parameters, first: str) -> Mapping[str, str]:
    """Return the arrays of ids with new ones."""
    return {name: f"{{{','.join(f'{first}{of:08x}' for of in places)}}}" for name, places in parameters.ids.items()}


def main() -> None:
    order = StatementOrder.from_json(sys.stdin.read())
    loop = Loop(order)
    spent = time.process_time()
    seconds = loop.carry_out()
    outcome = Outcome(
        seconds=seconds,
        statuses=dict(sum((each.statuses for each in loop.seen), Counter())),
        latency=percentiles.summary([latency for each in loop.seen for latency in each.latencies]),
        cpu_seconds=time.process_time() - spent,
        lag=None,
        first_refusal=next((each.first_refusal for each in loop.seen if each.first_refusal), None),
    )
    sys.stdout.write(outcome.to_json())


if __name__ == "__main__":
    main()
