"""What the generator is asked for, and what it tells; both travel as JSON.

Latencies are in milliseconds: in a closed loop from when a request was sent, in an open one from when it was due.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# What the status of an answer begins with where all went well.
SUCCESS = "2"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request; with a `body` it is a POST that carries an idempotency key of its own.

    It records `transactions` when it is accepted, and is when the status begins as `expected`, like every other of its
    order.
    """

    path: str
    body: str | None = None
    transactions: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: str = SUCCESS


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run: so many connections, each of which sends its next request at an answer, or at `rate` a second in all."""

    port: int
    calls: Sequence[Call]
    connections: int
    seconds: float
    # The run's own, so that no key is used twice.
    key: str
    rate: float | None = None
    # A closed loop may also end after so many requests.
    requests_max: int | None = None
    # For what is in flight, or still waiting to be sent, when the time is over.
    patience_seconds: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        return self.calls[0].expected

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        values = json.loads(text)
        return cls(**values | {"calls": [Call(**call) for call in values["calls"]]})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came back: how many of each status ("lost" without an answer), how late, and what it cost to ask."""

    seconds: float
    statuses: Mapping[str, int]
    latency: Mapping[str, float]
    # Of the generator itself.
    cpu_seconds: float
    # How much later than due the generator sent what no connection kept waiting, p99; only in an open loop.
    lag: float | None
    # The first answer that was not as expected, for whoever looks for the reason.
    first_refusal: str | None
    expected: str = SUCCESS
    # Transactions that were recorded meanwhile beside what was asked for.
    beside: int = 0

    @property
    def accepted(self) -> int:
        return sum(count for status, count in self.statuses.items() if status.startswith(self.expected))

    @property
    def refused(self) -> int:
        """How many got something else than was expected, or nothing."""
        return sum(self.statuses.values()) - self.accepted

    @property
    def lost(self) -> int:
        return self.statuses.get("lost", 0)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        return cls(**json.loads(text))
