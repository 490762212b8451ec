"""Sides take turns under the same load, so that a slow minute falls on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.benchmarks.bench import Progress
from tests.benchmarks.cluster import Host
from tests.benchmarks.findings import Sample, SideFindings, interleaved
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.running import CONNECTIONS, OPEN_CONNECTIONS, Load, Running
from tests.benchmarks.sides import Side

# Of what the slowest side does in a closed loop: the rates of the open ones, the same for all.
SHARES = (0.25, 0.5)
RATE_MIN = 0.5


class Turn(NamedTuple):
    """One run within a round."""

    place: int
    side: str
    rate: float | None


@dataclass(frozen=True, kw_only=True)
class Times:
    """How often and how long a side has its turn, and over how many connections in a closed loop."""

    rounds: int
    seconds: float
    connections: int = CONNECTIONS
    # A closed loop may also end after so many requests.
    requests_max: int | None = None


@dataclass
class Contestant:
    """A side under way, with how many transactions it should have recorded by now, and how many it may have."""

    side: Side
    url: str
    running: Running
    accepted: int = 0
    lost: int = 0
    first_refusal: str | None = None

    def give(self, load: Load) -> Outcome:
        outcome = self.running.give(load)
        self.first_refusal = self.first_refusal or outcome.first_refusal
        self.accepted += outcome.accepted * load.calls[0].transactions + outcome.beside
        self.lost += outcome.lost * load.calls[0].transactions
        return outcome


@dataclass(frozen=True, kw_only=True)
class Contest:
    """All that take turns in one cluster, with what each is asked for."""

    sides: Mapping[str, Contestant]
    calls: Mapping[str, Sequence[Call]]
    cluster: Host
    progress: Progress

    def samples(self, turns: Sequence[Turn], times: Times, key: str = "") -> Iterator[Sample]:
        """Let them take their turns; `key` tells these from others of the same sides."""
        for number in range(times.rounds):
            for place, name, rate in turns:
                how = "as many as it can" if rate is None else f"{rate:g} a second"
                self.progress.step(f"round {number + 1}, {name}: {how}")
                load = Load(
                    calls=self.calls[name],
                    key=f"{key}{number}-{place}-{rate}",
                    seconds=times.seconds,
                    rate=rate,
                    connections=times.connections if rate is None else max(OPEN_CONNECTIONS, times.connections),
                    requests_max=times.requests_max if rate is None else None,
                )
                yield _sample(self.sides[name], load, number, place, self.cluster)


def rounds(names: Sequence[str], rates: Sequence[float], at_rates: Sequence[str] | None = None) -> Sequence[Turn]:
    """Return a round: closed loops, with the first name beside each other one, and open loops at each rate."""
    closed = [Turn(place, name, None) for place, name in enumerate(interleaved(names[0], names[1:]))]
    scheduled = names if at_rates is None else at_rates
    return closed + [Turn(place, name, rate) for rate in rates for place, name in enumerate(scheduled)]


def rates_for(per_second: float) -> Sequence[float]:
    """Return the rates of the open loops where the slowest side does so many in a closed one; all sides can do them."""
    return [max(float(f"{share * per_second:.2g}"), RATE_MIN) for share in SHARES]


def ended(each: Contestant, statements: float) -> SideFindings:
    """End a side, check its books, and return what is told of it once."""
    each.running.stop()
    return SideFindings(
        name=each.side.name,
        title=each.side.title,
        statements=statements,
        violations=[*each.side.ledger.violations(each.url), *miscounted(each)],
        first_refusal=each.first_refusal,
    )


def miscounted(each: Contestant) -> Sequence[str]:
    """Return whether more or less is recorded than was accepted; what got lost may be recorded or not."""
    recorded = each.side.ledger.recorded(each.url)
    if each.accepted <= recorded <= each.accepted + each.lost:
        return []
    return [f"{recorded} transactions are recorded, {each.accepted} were accepted and {each.lost} lost"]


def _sample(each: Contestant, load: Load, number: int, place: int, cluster: Host) -> Sample:
    cpu, database_cpu, wal = each.running.cpu_seconds(), cluster.cpu_seconds(), cluster.wal_position()
    outcome = each.give(load)
    return Sample(
        side=each.side.name,
        round=number,
        place=place,
        rate=load.rate,
        outcome=outcome,
        application_cpu_seconds=each.running.cpu_seconds() - cpu,
        database_cpu_seconds=cluster.cpu_seconds() - database_cpu,
        wal_bytes=cluster.wal_position() - wal,
        units=max(load.calls[0].transactions, 1),
    )
