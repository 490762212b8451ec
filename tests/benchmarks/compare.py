"""Compare sides under the same load: in turns, several rounds, closed and open loop, and the books at the end."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import cluster as clusters
from tests.benchmarks import payloads, plot, table, turns
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.cluster import Host
from tests.benchmarks.findings import Findings
from tests.benchmarks.load.order import Call
from tests.benchmarks.running import CONNECTIONS, OPEN_CONNECTIONS, Load
from tests.benchmarks.sides import Setting, Side
from tests.benchmarks.turns import Contest, Contestant, Times

# Transactions, of which a batch has many; but for three requests at least.
COUNTED, COUNTED_REQUESTS_MIN = 40, 3
FIRST_REQUESTS = 200
# What is done with each side beside its turns: it is started, warmed up, counted and checked.
PARTS = 4


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One bench: the same requests for all of its sides but those with their own.

    The first is the reference, or the first that is there, for which no goals are told then.
    """

    name: str
    title: str
    sides: Sequence[Side]
    calls: Callable[[], Sequence[Call]]
    # Whether there are to be transactions before it.
    needs_transactions: bool = False
    # What the ratio to a side is to be at least.
    goals: Mapping[str, float] = field(default_factory=dict)
    # Of a closed loop.
    connections: int = CONNECTIONS
    unit: str = "request"
    # Where the databases are.
    host: Callable[[], AbstractContextManager[Host]] = clusters.started

    def steps(self, size: Size, wanted: Sequence[str]) -> int:
        """Return how many steps it has."""
        chosen = self.chosen(wanted)
        return PARTS * len(chosen) + size.rounds * len(
            self.round_of(chosen, turns.SHARES if size.rates is None else size.rates)
        )

    def run(self, size: Size, wanted: Sequence[str], progress: Progress) -> Findings:
        """Run it for the sides that are wanted and there; all of them where none is named."""
        progress.begin(self.name, self.steps(size, wanted))
        return self.run_beside_others(size, wanted, progress)

    def run_beside_others(self, size: Size, wanted: Sequence[str], progress: Progress) -> Findings:
        """Run it as a part of a bench, which has told how many steps there are."""
        with self.host() as cluster, _started(cluster, self.chosen(wanted), progress) as contestants:
            return Bench(self, size, contestants, cluster, progress).findings()

    def chosen(self, wanted: Sequence[str]) -> list[Side]:
        present = [side for side in self.sides if side.is_here()]
        return [side for side in present if not wanted or side.name in (*wanted, present[0].name)]

    def round_of(self, chosen: Sequence[Side], rates: Sequence[float]) -> Sequence[turns.Turn]:
        at_rates = [side.name for side in chosen if side.takes_rates]
        return turns.rounds([side.name for side in chosen], rates, at_rates)

    def render(self, findings: Findings) -> str:
        """Return the findings as text."""
        return table.render(findings)

    def draw(self, findings: Findings, path: Path) -> None:
        """Write the findings as a picture."""
        plot.draw([findings], path)


class Bench:
    """A comparison under way."""

    def __init__(
        self,
        of: Comparison,
        size: Size,
        contestants: Mapping[str, Contestant],
        cluster: Host,
        progress: Progress,
    ) -> None:
        self._of = of
        self._size = size
        self._contestants = contestants
        self._cluster = cluster
        self._progress = progress
        self._calls: dict[str, Sequence[Call]] = {}

    def findings(self) -> Findings:
        speeds = {name: self._warm_up(name, each) for name, each in self._contestants.items()}
        slowest = min((speed for name, speed in speeds.items() if self._contestants[name].side.takes_rates), default=0)
        rates = turns.rates_for(slowest) if self._size.rates is None else self._size.rates
        statements = self._statements()
        contest = Contest(sides=self._contestants, calls=self._calls, cluster=self._cluster, progress=self._progress)
        round_ = self._of.round_of([each.side for each in self._contestants.values()], rates)
        samples = list(contest.samples(round_, self._times()))
        return Findings(
            bench=self._of.name,
            title=self._of.title,
            reference=next(iter(self._contestants)),
            machine=machine(self._cluster),
            settings={
                "rounds": self._size.rounds,
                "seconds": self._size.seconds,
                "rates": list(rates),
                "connections": self._of.connections,
                "open_connections": max(OPEN_CONNECTIONS, self._of.connections),
            },
            left_out=[side.title for side in self._of.sides if not side.is_here()],
            goals=self._of.goals if self._of.sides[0].is_here() else {},
            unit=self._of.unit,
            sides=[self._end(name, statements[name]) for name in self._contestants],
            samples=samples,
        )

    def _times(self) -> Times:
        return Times(rounds=self._size.rounds, seconds=self._size.seconds, connections=self._of.connections)

    def _warm_up(self, name: str, each: Contestant) -> float:
        """Warm a side up and return how many requests a second it did."""
        self._progress.step(f"{name} warms up")
        if self._of.needs_transactions:
            each.give(Load(calls=payloads.transfers(), key="first", seconds=60, requests_max=FIRST_REQUESTS))
        common = (each.side.calls or self._of.calls)()
        self._calls[name] = each.side.known(each.running, common) if each.side.known else common
        seconds, connections = self._size.warm_up_seconds, self._of.connections
        outcome = each.give(Load(calls=self._calls[name], key="warm", seconds=seconds, connections=connections))
        return outcome.accepted / max(outcome.seconds, seconds)

    def _statements(self) -> Mapping[str, float]:
        """Return how many statements each side sends for a transaction or request, BEGIN and COMMIT included."""
        counts = {}
        with self._cluster.counting() as by_database:
            for name, each in self._contestants.items():
                self._progress.step(f"{name}: its statements are counted")
                calls = self._calls[name]
                units = max(calls[0].transactions, 1)
                requests = max(COUNTED // units, COUNTED_REQUESTS_MIN)
                load = Load(calls=calls, key="count", connections=1, requests_max=requests, seconds=60)
                counts[name] = max(each.give(load).accepted, 1) * units
        return {name: by_database.get(each.side.database, 0) / counts[name] for name, each in self._contestants.items()}

    def _end(self, name: str, statements: float) -> turns.SideFindings:
        self._progress.step(f"{name}: its books are checked")
        return turns.ended(self._contestants[name], statements)


@contextmanager
def _started(cluster: Host, chosen: Sequence[Side], progress: Progress) -> Iterator[Mapping[str, Contestant]]:
    """Lend the sides with their databases made and their servers started."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myapp_bench_sides_")))
        contestants = {}
        for side in chosen:
            progress.step(f"{side.name} starts")
            side.ledger.prepare(cluster, side.database)
            url = cluster.url(side.database)
            running = side.start(Setting(cluster=cluster, url=url, directory=directory))
            stack.callback(running.stop)
            contestants[side.name] = Contestant(side, url, running)
        yield contestants


def machine(cluster: Host) -> Mapping[str, str]:
    """Return what was measured on."""
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "database": cluster.version,
        "system": f"{platform.system()} {platform.machine()}",
    }
