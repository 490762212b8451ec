"""Compare sides under the same load: in turns, several rounds, closed and open loop, and the books at the end."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import cluster as clusters
from tests.benchmarks import payloads, plot, table
from tests.benchmarks.cluster import Cluster
from tests.benchmarks.findings import Findings, Sample, SideFindings, interleaved
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.running import CONNECTIONS, OPEN_CONNECTIONS, Load, Running
from tests.benchmarks.sides import Setting, Side

COUNTED_REQUESTS = 40
FIRST_REQUESTS = 200
# What is done with each side beside its turns: it is started, warmed up, counted and checked.
PARTS = 4
# Of what the slowest side does in a closed loop: the rates of the open ones, the same for all.
SHARES = (0.25, 0.5)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How long a bench is; `rates` are of the open loops, in requests a second, where the warm-up is not to choose."""

    rounds: int = 5
    seconds: float = 3.0
    warm_up_seconds: float = 3.0
    rates: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One bench: the same requests for all of its sides but those with their own; the first side is the reference."""

    name: str
    title: str
    sides: Sequence[Side]
    calls: Callable[[], Sequence[Call]]
    # Whether there are to be transactions before it.
    needs_transactions: bool = False

    def run(self, size: Size, wanted: Sequence[str], progress: Progress) -> Findings:
        """Run it for the sides that are wanted and there; all of them where none is named."""
        present = [side for side in self.sides if side.is_here()]
        chosen = [side for side in present if not wanted or side.name in (*wanted, self.sides[0].name)]
        left_out = [side.title for side in self.sides if not side.is_here()]
        turns = rounds([side.name for side in chosen], SHARES if size.rates is None else size.rates)
        progress.begin(self.name, PARTS * len(chosen) + size.rounds * len(turns))
        with clusters.started() as cluster, _started(cluster, chosen, progress) as contest:
            return Bench(self, size, contest, progress).findings(cluster, left_out)

    def render(self, findings: Findings) -> str:
        """Return the findings as text."""
        return table.render(findings)

    def draw(self, findings: Findings, path: Path) -> None:
        """Write the findings as a picture."""
        plot.draw(findings, path)


class Turn(NamedTuple):
    """One run within a round."""

    place: int
    side: str
    rate: float | None


class Progress:
    """Who is told how far a run is; this one tells nobody."""

    def begin(self, bench: str, total: int) -> None:
        """A bench of so many steps begins."""

    def step(self, what: str) -> None:
        """The next step begins."""


def rounds(names: Sequence[str], rates: Sequence[float]) -> Sequence[Turn]:
    """Return a round: closed loops, with the first name beside each other one, and open loops at each rate."""
    closed = [Turn(place, name, None) for place, name in enumerate(interleaved(names[0], names[1:]))]
    return closed + [Turn(place, name, rate) for rate in rates for place, name in enumerate(names)]


def rates_for(per_second: float) -> Sequence[float]:
    """Return the rates of the open loops where the slowest side does so many in a closed one; all sides can do them."""
    return [max(float(f"{share * per_second:.2g}"), 1.0) for share in SHARES]


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
        self.accepted += outcome.accepted * load.calls[0].transactions
        self.lost += outcome.lost * load.calls[0].transactions
        return outcome


class Bench:
    """A comparison under way."""

    def __init__(
        self,
        of: Comparison,
        size: Size,
        contest: Mapping[str, Contestant],
        progress: Progress,
    ) -> None:
        self._of = of
        self._size = size
        self._contest = contest
        self._progress = progress
        self._calls = {name: (each.side.calls or of.calls)() for name, each in contest.items()}

    def findings(self, cluster: Cluster, left_out: Sequence[str]) -> Findings:
        slowest = min(self._warm_up(name, each) for name, each in self._contest.items())
        rates = rates_for(slowest) if self._size.rates is None else self._size.rates
        statements = self._statements(cluster)
        samples = list(self._samples(cluster, rounds(list(self._contest), rates)))
        sides = [self._end(name, each, statements[name]) for name, each in self._contest.items()]
        return Findings(
            bench=self._of.name,
            title=self._of.title,
            reference=self._of.sides[0].name,
            machine=_machine(cluster),
            settings={
                "rounds": self._size.rounds,
                "seconds": self._size.seconds,
                "rates": list(rates),
                "connections": CONNECTIONS,
                "open_connections": OPEN_CONNECTIONS,
            },
            left_out=left_out,
            sides=sides,
            samples=samples,
        )

    def _load(self, side: str, key: str, **how: float | int | None) -> Load:
        return Load(calls=self._calls[side], key=key, **{"seconds": self._size.seconds, **how})

    def _warm_up(self, name: str, each: Contestant) -> float:
        """Warm a side up and return how many requests a second it did."""
        self._progress.step(f"{name} warms up")
        if self._of.needs_transactions:
            each.give(Load(calls=payloads.transfers(), key="first", seconds=60, requests_max=FIRST_REQUESTS))
        outcome = each.give(self._load(name, "warm", seconds=self._size.warm_up_seconds))
        return outcome.accepted / self._size.warm_up_seconds

    def _statements(self, cluster: Cluster) -> Mapping[str, float]:
        """Return how many statements a request of each side sends, BEGIN and COMMIT included."""
        counts = {}
        with cluster.counting() as by_database:
            for name, each in self._contest.items():
                self._progress.step(f"{name}: its statements are counted")
                load = self._load(name, "count", connections=1, requests_max=COUNTED_REQUESTS, seconds=60)
                counts[name] = max(each.give(load).accepted, 1)
        return {name: by_database.get(self._contest[name].side.database, 0) / counts[name] for name in counts}

    def _samples(self, cluster: Cluster, turns: Sequence[Turn]) -> Iterator[Sample]:
        for number in range(self._size.rounds):
            for place, name, rate in turns:
                how = "as many as it can" if rate is None else f"{rate:g} a second"
                self._progress.step(f"round {number + 1}, {name}: {how}")
                connections = CONNECTIONS if rate is None else OPEN_CONNECTIONS
                load = self._load(name, f"{number}-{place}-{rate}", rate=rate, connections=connections)
                yield _sample(self._contest[name], load, number, place, cluster)

    def _end(self, name: str, each: Contestant, statements: float) -> SideFindings:
        self._progress.step(f"{name}: its books are checked")
        each.running.stop()
        violations = [*each.side.ledger.violations(each.url), *miscounted(each)]
        return SideFindings(
            name=name,
            title=each.side.title,
            statements=statements,
            violations=violations,
            first_refusal=each.first_refusal,
        )


def _sample(each: Contestant, load: Load, number: int, place: int, cluster: Cluster) -> Sample:
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
    )


def miscounted(each: Contestant) -> Sequence[str]:
    """Return whether more or less is recorded than was accepted; what got lost may be recorded or not."""
    recorded = each.side.ledger.recorded(each.url)
    if each.accepted <= recorded <= each.accepted + each.lost:
        return []
    return [f"{recorded} transactions are recorded, {each.accepted} were accepted and {each.lost} lost"]


@contextmanager
def _started(cluster: Cluster, chosen: Sequence[Side], progress: Progress) -> Iterator[Mapping[str, Contestant]]:
    """Lend the sides with their databases made and their servers started."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myapp_bench_sides_")))
        contest = {}
        for side in chosen:
            progress.step(f"{side.name} starts")
            side.ledger.prepare(cluster, side.database)
            url = cluster.url(side.database)
            running = side.start(Setting(cluster=cluster, url=url, directory=directory))
            stack.callback(running.stop)
            contest[side.name] = Contestant(side, url, running)
        yield contest


def _machine(cluster: Cluster) -> Mapping[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgresql": cluster.version,
        "system": f"{platform.system()} {platform.machine()}",
    }
