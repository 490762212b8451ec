"""Ask the large ledger and the small one the same, in turns, and read each as a whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks import turns
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.cluster import Cluster, rows
from tests.benchmarks.compare import machine
from tests.benchmarks.findings import Findings, Sample, SideFindings
from tests.benchmarks.growth import asking
from tests.benchmarks.growth.asking import Passage, Question
from tests.benchmarks.growth.findings import LARGE, SMALL, Measured
from tests.benchmarks.growth.history import LINES, History
from tests.benchmarks.running import Load, Server
from tests.benchmarks.turns import Contest, Contestant, Times, Turn

PASSAGES = ("export", "verify")
# The order of a round that reads each as a whole: the small one on either side of the large.
WHOLE = (SMALL, LARGE, SMALL)


@dataclass(frozen=True, kw_only=True)
class Book:
    """A ledger under way."""

    name: str
    history: History
    contestant: Contestant
    server: Server
    # What was built of its history.
    transactions: int

    @property
    def recorded(self) -> int:
        """How many transactions it has by now."""
        return self.contestant.side.ledger.recorded(self.contestant.url)


class Measuring:
    """A measurement under way."""

    def __init__(self, books: Mapping[str, Book], cluster: Cluster, size: Size, progress: Progress) -> None:
        self._books = books
        self._cluster = cluster
        self._size = size
        self._progress = progress
        self._faults: dict[str, list[str]] = {name: [] for name in books}
        self._grown: dict[str, float] = {}

    def measured(self) -> Measured:
        for book in self._books.values():
            book.contestant.accepted, book.contestant.lost = book.recorded, 0
            self._progress.step(f"{book.name}: vacuum")
            rows(book.contestant.url, "VACUUM (ANALYZE)")
        self._cluster.server.value("CHECKPOINT")
        postings = {name: book.recorded * LINES for name, book in self._books.items()}
        found = [(each.name, each.title, each.goal, list(self._asked(each))) for each in asking.QUESTIONS]
        found.append(("export", "Export, postings", None, list(self._read("export", self._export))))
        found.append(("verify", "Verify, postings", None, list(self._read("verify", self._verify))))
        for name, book in self._books.items():
            self._faults[name] += turns.miscounted(book.contestant)
        parts = [self._findings(*each) for each in found]
        return Measured(
            postings=postings[LARGE], small_postings=postings[SMALL], parts=parts, export_grown_mib=self._grown
        )

    def _asked(self, question: Question) -> Iterator[Sample]:
        contest = Contest(
            sides={name: book.contestant for name, book in self._books.items()},
            calls={name: question.calls(book.history, book.transactions) for name, book in self._books.items()},
            cluster=self._cluster,
            progress=self._progress,
        )
        times = Times(rounds=self._size.rounds, seconds=self._size.seconds, connections=question.connections)
        # A measurement may be repeated, and a key used once.
        key = secrets.token_hex(4)
        for name, each in contest.sides.items():
            self._progress.step(f"{question.name}: {name} warms up")
            load = Load(calls=contest.calls[name], key=f"{key}-warm", seconds=self._size.warm_up_seconds)
            each.give(load)
        return contest.samples(turns.rounds([LARGE, SMALL], []), times, key)

    def _read(self, what: str, read: Callable[[Book], Passage]) -> Iterator[Sample]:
        """Read each as a whole, once for a round."""
        for place, name in enumerate(WHOLE):
            self._progress.step(f"{what}: {name}")
            book = self._books[name]
            cpu, database_cpu = book.server.cpu_seconds(), self._cluster.cpu_seconds()
            passage = read(book)
            self._faults[name] += passage.faults
            if passage.grown_mib is not None:
                self._grown[name] = max(passage.grown_mib, self._grown.get(name, 0.0))
            yield Sample(
                side=name,
                round=0,
                place=place,
                rate=None,
                outcome=passage.outcome,
                application_cpu_seconds=book.server.cpu_seconds() - cpu,
                database_cpu_seconds=self._cluster.cpu_seconds() - database_cpu,
                wal_bytes=0,
                units=passage.postings,
            )

    def _export(self, book: Book) -> Passage:
        return asking.export(book.server, book.recorded)

    def _verify(self, book: Book) -> Passage:
        return asking.verify(book.contestant.url, book.recorded)

    def _findings(self, name: str, title: str, goal: float | None, samples: Sequence[Sample]) -> Findings:
        sides = [
            SideFindings(
                name=book.name,
                title=book.contestant.side.title,
                statements=0.0,
                violations=self._faults[book.name],
                first_refusal=book.contestant.first_refusal,
            )
            for book in self._books.values()
        ]
        return Findings(
            bench=f"growth-{name}",
            title=title,
            reference=LARGE,
            machine=machine(self._cluster),
            settings={"rounds": self._size.rounds, "seconds": self._size.seconds},
            left_out=[],
            goals={} if goal is None else {SMALL: goal},
            sides=sides,
            samples=samples,
        )


def steps(rounds: int) -> int:
    """Return how many steps a measurement has."""
    turns_each: Sequence[Turn] = turns.rounds([LARGE, SMALL], [])
    asked = len(asking.QUESTIONS) * (rounds * len(turns_each) + 2)
    return 2 + asked + len(PASSAGES) * len(WHOLE)
