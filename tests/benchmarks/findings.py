"""What a bench found, as it is kept in JSON, and what follows from it: medians, spread, ratios within a round.

CPU is told per request, or transaction of a batch, in µs; latencies per request, in ms. Everything here is pure.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.benchmarks.load.order import Outcome

MICROSECONDS = 1e6
BOTH_SIDES = (-1, 1)


class Spread(NamedTuple):
    """A median with the least and the greatest of its rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one side; `place` is where it stood in its round, and `rate` None in a closed loop.

    What it did is counted in units: the transactions of a batch, of which a request has `units`, else requests.
    """

    side: str
    round: int
    place: int
    rate: float | None
    outcome: Outcome
    application_cpu_seconds: float
    database_cpu_seconds: float
    wal_bytes: int
    units: int = 1

    @property
    def per_second(self) -> float:
        return self.outcome.accepted * self.units / self.outcome.seconds if self.outcome.accepted else 0.0

    def per_unit(self, amount: float) -> float:
        return amount / (max(self.outcome.accepted, 1) * self.units)

    @property
    def application_cpu(self) -> float:
        return self.per_unit(self.application_cpu_seconds) * MICROSECONDS

    @property
    def database_cpu(self) -> float:
        return self.per_unit(self.database_cpu_seconds) * MICROSECONDS


@dataclass(frozen=True, kw_only=True)
class SideFindings:
    """What is told of a side once, and not in each round."""

    name: str
    title: str
    statements: float
    violations: Sequence[str]
    # Why the first request was refused that was.
    first_refusal: str | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a bench found; `reference` is the side that the ratios are of."""

    bench: str
    title: str
    reference: str
    machine: Mapping[str, str]
    settings: Mapping[str, float | int | Sequence[float]]
    # The sides for which something is not installed.
    left_out: Sequence[str]
    sides: Sequence[SideFindings]
    samples: Sequence[Sample]
    # What the ratio to a side is to be at least.
    goals: Mapping[str, float] = field(default_factory=dict)
    # What is counted: requests, or the transactions that they record.
    unit: str = "request"

    def of(self, side: str, rate: float | None) -> list[Sample]:
        return [each for each in self.samples if each.side == side and each.rate == rate]

    def rates(self) -> list[float]:
        """Return the rates of the open loops."""
        return sorted({each.rate for each in self.samples if each.rate is not None})

    def refused(self, side: str) -> int:
        return sum(each.outcome.refused for each in self.samples if each.side == side)

    def ratios(self, side: str, rate: float | None, figure: Callable[[Sample], float]) -> list[float]:
        """Return what the reference has for each one of a side's, run by run.

        A slow minute is to fall on both. Where the reference ran right before and right after the side, its figure is
        the mean of these two; else it is the mean of all its runs in that round.
        """
        ours = {(each.round, each.place): figure(each) for each in self.of(self.reference, rate)}
        found = []
        for each in self.of(side, rate):
            beside = [value for step in BOTH_SIDES if (value := ours.get((each.round, each.place + step))) is not None]
            around = [value for (number, _place), value in ours.items() if number == each.round]
            chosen = beside if len(beside) == len(BOTH_SIDES) else around
            if chosen and figure(each):
                found.append(statistics.mean(chosen) / figure(each))
        return found

    def meets(self, side: str) -> bool | None:
        """Say whether the ratio to a side is what it is to be; None where that is not said, or nothing was measured."""
        found = spread(self.ratios(side, None, lambda each: each.per_second))
        return None if found is None or side not in self.goals else found.median >= self.goals[side]

    def is_well(self) -> bool:
        """Say whether every request was accepted and all books hold."""
        return not any(each.violations or self.refused(each.name) for each in self.sides)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Findings:
        values = json.loads(text)
        samples = [Sample(**each | {"outcome": Outcome(**each["outcome"])}) for each in values["samples"]]
        return cls(**values | {"sides": [SideFindings(**each) for each in values["sides"]], "samples": samples})


def spread(values: Sequence[float]) -> Spread | None:
    """Return the median and the extremes of the rounds, if there is any."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def interleaved(reference: str, others: Sequence[str]) -> list[str]:
    """Return a round's order: the reference before and after each of the others."""
    return [reference, *(name for other in others for name in (other, reference))]
