"""What a bench is: something that runs, finds, and shows what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from tests.benchmarks.sides import Side


@dataclass(frozen=True, kw_only=True)
class Size:
    """How long a bench is; `rates` are of the open loops, in requests a second, where the warm-up is not to choose."""

    rounds: int = 5
    seconds: float = 3.0
    warm_up_seconds: float = 3.0
    rates: Sequence[float] | None = None
    # Of the ledger that grows, and where it is kept.
    postings: int = 10_000_000
    directory: Path = Path("build/growth")
    # Of watching memory.
    minutes: float = 10.0


class Progress:
    """Who is told how far a run is; this one tells nobody."""

    def begin(self, bench: str, total: int) -> None:
        """A bench of so many steps begins."""

    def step(self, what: str) -> None:
        """The next step begins."""

    def tell(self, what: str) -> None:
        """A step goes on with this."""


class Found(Protocol):
    """What a bench found."""

    def is_well(self) -> bool:
        """Say whether every request was accepted and all books hold."""

    def to_json(self) -> str:
        """Return all of it."""


FoundT = TypeVar("FoundT")


class Bench(Protocol[FoundT]):
    """A bench; `sides` are those that can be chosen from."""

    name: str
    title: str

    @property
    def sides(self) -> Sequence[Side]: ...

    def run(self, size: Size, wanted: Sequence[str], progress: Progress) -> FoundT:
        """Run it, with the sides that are wanted; all of them where none is named."""

    def render(self, findings: FoundT) -> str:
        """Return the findings as text."""

    def draw(self, findings: FoundT, path: Path) -> None:
        """Write the findings as a picture."""
