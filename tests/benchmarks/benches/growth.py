"""A ledger of ten million postings and 100,000 accounts, against one of ten thousand postings and a thousand accounts.

It is built by the running service in batches and kept in a directory, so that building goes on where it was, and what
it is asked can be asked again. Each ledger has a database of its own in one server, and is asked at sizes on the way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import cluster as clusters
from tests.benchmarks import sides
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.cluster import Cluster
from tests.benchmarks.growth import building, findings, measuring
from tests.benchmarks.growth.building import Builder, State
from tests.benchmarks.growth.findings import LARGE, SMALL, GrowthFindings, Measured
from tests.benchmarks.growth.history import BATCH, LINES, History
from tests.benchmarks.growth.measuring import Book, Measuring
from tests.benchmarks.peers import books
from tests.benchmarks.running import Server
from tests.benchmarks.sides import Setting, Side
from tests.benchmarks.turns import Contestant

MARKS = (10_000, 100_000, 1_000_000, 10_000_000)
SMALL_BATCHES = 10_000 // LINES // BATCH
POSTINGS_OF_ACCOUNT = 100
# So that either ledger goes back two years when it has its size: ten million postings, and ten thousand.
LARGE_A_DAY, SMALL_A_DAY = 7_000, 7


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The bench."""

    name: str = "growth"
    title: str = "A ledger that grows"

    @property
    def sides(self) -> Sequence[Side]:
        return []

    def run(self, size: Size, _wanted: Sequence[str], progress: Progress) -> GrowthFindings:
        """Build and measure, from where it is."""
        marks = building.sizes(size.postings, MARKS)
        with clusters.kept(size.directory) as cluster, tempfile.TemporaryDirectory() as logs:
            kept = {name: State.read(size.directory / f"{name}.json") for name in (LARGE, SMALL)}
            due = [mark for mark in marks if mark > kept[LARGE].batches] or [kept[LARGE].batches]
            progress.begin(self.name, max(due[-1] - kept[LARGE].batches, 0) + len(due) * measuring.steps(size.rounds))
            with _started(cluster, size, kept, Path(logs), progress) as (ledgers, builders):
                builders[SMALL].grow(min(SMALL_BATCHES, max(marks[-1] // 2, 1)), lambda _told: None)
                for mark in due:
                    builders[LARGE].grow(mark, lambda told: progress.step(f"building: {told}"))
                    now = {
                        name: replace(book, transactions=kept[name].batches * BATCH) for name, book in ledgers.items()
                    }
                    measured = Measuring(now, cluster, size, progress).measured()
                    _file(size.directory, kept[LARGE].postings).write_text(measured.to_json(), encoding="utf-8")
        return GrowthFindings(
            bench=self.name, title=self.title, notes=kept[LARGE].notes, sizes=_measured(size.directory)
        )

    def render(self, of: GrowthFindings) -> str:
        """Return the findings as text."""
        return findings.render(of)

    def draw(self, of: GrowthFindings, path: Path) -> None:
        """Write the findings as a picture."""
        findings.draw(of, path)


def histories(postings: int) -> dict[str, History]:
    """Return the histories of the two, where the large one is to have so many postings at the end."""
    few = books.account_count()
    return {
        LARGE: History(accounts=max(postings // POSTINGS_OF_ACCOUNT, few), transactions_a_day=LARGE_A_DAY),
        SMALL: History(accounts=few, transactions_a_day=SMALL_A_DAY),
    }


@contextmanager
def _started(
    cluster: Cluster, size: Size, kept: dict[str, State], logs: Path, progress: Progress
) -> Iterator[tuple[dict[str, Book], dict[str, Builder]]]:
    """Lend both ledgers, each with a server, and who builds them."""
    found, builders = {}, {}
    servers: list[Server] = []
    try:
        for name, history in histories(size.postings).items():
            side = replace(sides.APPLICATION, name=name, title=f"the {name} ledger")
            url = building.prepare(cluster, side.database, history, _teller(progress, name))
            server = side.start(Setting(cluster=cluster, url=url, directory=logs))
            assert isinstance(server, Server)
            servers.append(server)
            contestant = Contestant(side, url, server)
            found[name] = Book(name=name, history=history, contestant=contestant, server=server, transactions=0)
            builders[name] = Builder(server, history, kept[name], _sizer(cluster, side.database))
        yield found, builders
    finally:
        for server in servers:
            server.stop()


def _teller(progress: Progress, name: str) -> Callable[[str], None]:
    return lambda told: progress.tell(f"{name}: {told}")


def _sizer(cluster: Cluster, database: str) -> Callable[[], int]:
    return lambda: int(cluster.server.value(f"SELECT pg_database_size('{database}')"))


def _file(directory: Path, postings: int) -> Path:
    return directory / f"measured-{postings:012}.json"


def _measured(directory: Path) -> list[Measured]:
    """Return what was ever measured there, by size."""
    return [Measured.from_json(file.read_text(encoding="utf-8")) for file in sorted(directory.glob("measured-*.json"))]


BENCH = Growth()
