"""What is found out about a strategy, in one record that becomes a line of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many out of how many were tried."""

    count: int
    of: int

    @property
    def percent(self) -> float:
        return 100 * self.count / self.of if self.of else 0.0


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """Reads that were older than what had been committed before the request began, by circumstance.

    `kept` is with an application that keeps the objects it showed; `repeatable` is at REPEATABLE READ and keeps none.
    """

    plain: Share
    kept: Share
    repeatable: Share | None
    overwritten: Share
    errors: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What became of units of work when some of them failed in the middle.

    `half_done` were answered 500 and left something; `lost` were answered 200 and are not whole; `refused` had nothing
    wrong with them and were answered 500. `undone` says whether a request that was answered 200 is not whole, because
    another thread's request failed while it was under way; None with one thread.
    """

    half_done: Share
    lost: Share
    refused: Share
    undone: bool | None
    errors: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Connections that are out of the pool, or idle in a transaction, while no request is under way."""

    checked_out_after_reads: int
    checked_out_after_changes: int
    checked_out_after_failures: int
    idle_after_reads: int | None
    idle_after_changes: int | None
    idle_after_failures: int | None


@dataclass(frozen=True, kw_only=True)
class Statements:
    """SELECT, INSERT, UPDATE and DELETE sent per request, and transactions ended."""

    read: float
    read_kept: float
    change: float
    ends_read: float
    ends_change: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU of the serving thread per request, and its ratio to one session per request; the rounds are microseconds."""

    read_microseconds: float
    read_ratio: float
    change_microseconds: float
    change_ratio: float
    read_rounds: Sequence[float]
    change_rounds: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Growth of the process over the requests, and what of sessions is alive after them."""

    requests: int
    grown_mib: float
    sessions: int
    objects: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was found out about one strategy on one database."""

    strategy: str
    title: str
    dialect: str
    expire_on_commit: bool
    staleness: Staleness
    failures: Failures
    leftovers: Leftovers
    statements: Statements
    cost: Cost | None = None
    memory: Memory | None = None
