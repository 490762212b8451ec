"""From exec to the first answer, and to the first balance: the application against Pyramid with one view."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import cluster as clusters
from tests.benchmarks import sides, starting
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.ledgers import INI, PROGRAMS, ours_environment, peers_environment
from tests.benchmarks.peers import books
from tests.benchmarks.sides import Side
from tests.benchmarks.starting import Starting, StartupFindings
from tests.own_postgresql import free_port

ALIVE = "/healthz"
BALANCE = f"/v1/ledgers/{books.LEDGER}/accounts/{books.path(1)}/balance"
TRIVIAL = """
[app:main]
use = call:tests.benchmarks.peers.trivial:main

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
"""


@dataclass(frozen=True, kw_only=True)
class Startup:
    """The bench."""

    name: str = "startup"
    title: str = "From exec to the first answer"

    @property
    def sides(self) -> Sequence[Side]:
        return [sides.APPLICATION]

    def run(self, size: Size, _wanted: Sequence[str], progress: Progress) -> StartupFindings:
        """Start each in turns, once more than is told, and look at what is imported."""
        progress.begin(self.name, 2 * (size.rounds + 2) + 1)
        with clusters.started() as cluster, tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            log = directory / "log"
            sides.APPLICATION.ledger.prepare(cluster, sides.APPLICATION.database)
            url = cluster.url(sides.APPLICATION.database)
            both = [_ours(url), _trivial(directory, url)]
            starts = []
            # The first leaves bytecode behind for the others.
            for number in range(size.rounds + 1):
                for each in both:
                    progress.step(f"start {number}, {each.name}")
                    done = starting.start(each, free_port(), log)
                    starts += [done] if number else []
            imported = {}
            for each in both:
                progress.step(f"{each.name}: imports")
                starting.start(each, free_port(), log, "-X", "importtime")
                imported[each.name] = starting.imports(log.read_text(encoding="utf-8"))
            progress.step("stages")
            stages = starting.stages(INI, ours_environment(url))
        return StartupFindings(
            bench=self.name,
            title=self.title,
            titles={each.name: each.title for each in both},
            starts=starts,
            imports_ms=imported,
            stages_ms=stages,
        )

    def render(self, findings: StartupFindings) -> str:
        """Return the findings as text."""
        return starting.render(findings)

    def draw(self, findings: StartupFindings, path: Path) -> None:
        """Write the findings as a picture."""
        starting.draw(findings, path)


def _ours(url: str) -> Starting:
    return Starting(
        name=sides.OURS,
        title=sides.APPLICATION.title,
        command=[str(PROGRAMS / "pserve"), INI, "http_port={port}"],
        environment=ours_environment(url),
        paths=[ALIVE, BALANCE],
        headers={"Authorization": f"Bearer {sides.new_key(url)}"},
    )


def _trivial(directory: Path, url: str) -> Starting:
    ini = directory / "trivial.ini"
    ini.write_text(TRIVIAL, encoding="utf-8")
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": peers_environment(url)["PYTHONPATH"]}
    return Starting(
        name="trivial",
        title="Pyramid with one view",
        command=[str(PROGRAMS / "pserve"), str(ini), "http_port={port}"],
        environment=environment,
        paths=[ALIVE],
        headers={},
    )


BENCH = Startup()
