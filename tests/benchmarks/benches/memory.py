"""What the application's process holds at rest, and how it grows under ten minutes of records and reads together."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import cluster as clusters
from tests.benchmarks import memory, payloads, sides
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.compare import machine
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.memory import MemoryFindings, Reading
from tests.benchmarks.running import Load, Server
from tests.benchmarks.sides import Setting, Side

REST_SECONDS = 2.0
LOOKS = 300
# Told once for each slice, so that one sees how far it is.
SLICES = 20
FIRST_REQUESTS = 8
SECONDS_OF_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The bench."""

    name: str = "memory"
    title: str = "Memory of a process"

    @property
    def sides(self) -> Sequence[Side]:
        return [sides.APPLICATION]

    def run(self, size: Size, _wanted: Sequence[str], progress: Progress) -> MemoryFindings:
        """Look at it at rest, and then under load."""
        progress.begin(self.name, SLICES + 2)
        side = sides.APPLICATION
        with clusters.started() as cluster, tempfile.TemporaryDirectory() as directory:
            progress.step("starts")
            side.ledger.prepare(cluster, side.database)
            url = cluster.url(side.database)
            server = side.start(Setting(cluster=cluster, url=url, directory=Path(directory)))
            assert isinstance(server, Server)
            try:
                rest = _at_rest(server)
                outcomes, seen, seconds = _under_load(server, size.minutes * SECONDS_OF_MINUTE, progress)
                progress.step("its books are checked")
            finally:
                server.stop()
            return MemoryFindings(
                bench=self.name,
                title=self.title,
                machine=machine(cluster),
                seconds=seconds,
                requests=sum(each.accepted for each in outcomes),
                refused=sum(each.refused for each in outcomes),
                first_refusal=next((each.first_refusal for each in outcomes if each.first_refusal), None),
                violations=side.ledger.violations(url),
                at_rest=rest,
                under_load=seen,
            )

    def render(self, findings: MemoryFindings) -> str:
        """Return the findings as text."""
        return memory.render(findings)

    def draw(self, findings: MemoryFindings, path: Path) -> None:
        """Write the findings as a picture."""
        memory.draw(findings, path)


def mixed() -> Sequence[Call]:
    """Return records and reads in turns."""
    pairs = zip(payloads.transfers(), payloads.balances(), strict=True)
    return [call for pair in pairs for call in pair]


def _at_rest(server: Server) -> Sequence[Reading]:
    """Return what it holds when it has answered once, so that everything is loaded."""
    server.give(Load(calls=mixed(), key="first", seconds=SECONDS_OF_MINUTE, connections=1, requests_max=FIRST_REQUESTS))
    time.sleep(REST_SECONDS)
    return list(memory.read(server.pids, 0.0))


def _under_load(
    server: Server, seconds: float, progress: Progress
) -> tuple[Sequence[Outcome], Sequence[Reading], float]:
    calls, outcomes = mixed(), []
    began = time.monotonic()
    with memory.watched(server.pids, seconds / LOOKS) as seen:
        for number in range(SLICES):
            progress.step(f"{number * seconds / SLICES:,.0f} of {seconds:,.0f} s")
            outcomes.append(server.give(Load(calls=calls, key=f"slice{number}", seconds=seconds / SLICES)))
    return outcomes, seen, time.monotonic() - began


BENCH = Memory()
