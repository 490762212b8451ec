"""What is to be reached, and what was: the table in docs/performance.md, made from the findings that are kept there.

    python -m tests.benchmarks.goals docs/benchmarks

What has no goal has no row.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import starting
from tests.benchmarks.findings import Findings, Spread, spread
from tests.benchmarks.growth.findings import LARGE, SMALL, GrowthFindings
from tests.benchmarks.series import SeriesFindings
from tests.benchmarks.starting import StartupFindings

# Of postings, on a process.
EXPORT_PER_SECOND = 100_000
# The benches with goals, in the order of the table, and what they keep.
KEPT = {
    "record": Findings,
    "read": Findings,
    "processes": Findings,
    "batches": SeriesFindings,
    "hot": SeriesFindings,
    "growth": GrowthFindings,
    "startup": StartupFindings,
}


class Goal(NamedTuple):
    """One row: what, what it was found to be, what it is to be, and whether it is."""

    what: str
    found: str
    wanted: str
    is_met: bool


def table(directory: Path) -> str:
    """Return the table of what is kept in a directory."""
    lines = ["| | found: median (least to greatest) | goal |", "|---|--:|--:|"]
    lines += [
        f"| {goal.what} | {goal.found} | {goal.wanted}: {'yes' if goal.is_met else '**no**'} |"
        for goal in _kept(directory)
    ]
    return "\n".join(lines) + "\n"


def _kept(directory: Path) -> Iterator[Goal]:
    for name, kind in KEPT.items():
        file = directory / f"bench-{name}.json"
        if file.exists():
            yield from of(kind.from_json(file.read_text(encoding="utf-8")))


@functools.singledispatch
def of(_findings: object) -> Iterator[Goal]:
    """Yield the goals of what a bench found."""
    raise NotImplementedError


@of.register
def _(findings: Findings) -> Iterator[Goal]:
    titles = {side.name: side.title for side in findings.sides}
    for side, wanted in findings.goals.items():
        found = spread(findings.ratios(side, None, lambda each: each.per_second))
        if found is not None:
            what = f"{findings.title}, against {titles[side]}"
            yield Goal(what, _told(found, "{:.2f}", " ×"), f"≥ {wanted:g} ×", found.median >= wanted)  # noqa: RUF001


@of.register
def _(findings: SeriesFindings) -> Iterator[Goal]:
    for part in findings.parts:
        yield from of(part)


@of.register
def _(findings: GrowthFindings) -> Iterator[Goal]:
    largest = findings.sizes[-1]
    against = f"{largest.postings:,} postings against {largest.small_postings:,}"
    for part in largest.parts:
        found = spread(part.ratios(SMALL, None, lambda each: each.per_second))
        if part.goals and found is not None:
            wanted = part.goals[SMALL]
            what = f"{part.title}, {against}"
            yield Goal(what, _told(found, "{:.2f}", " ×"), f"≥ {wanted:g} ×", found.median >= wanted)  # noqa: RUF001
        exported = spread([each.per_second for each in part.of(LARGE, None)])
        if part.bench == "growth-export" and exported is not None:
            grown = largest.export_grown_mib[LARGE]
            what = f"Export of {largest.postings:,} postings, a second; the server grew by {grown:,.0f} MiB"
            is_met = exported.median >= EXPORT_PER_SECOND
            yield Goal(what, _told(exported, "{:,.0f}"), f"≥ {EXPORT_PER_SECOND:,}", is_met)


@of.register
def _(findings: StartupFindings) -> Iterator[Goal]:
    ours = next(iter(findings.titles))
    found = spread([next(iter(each.answered_ms.values())) / starting.MILLISECONDS for each in findings.of(ours)])
    wanted = starting.GOAL_MS / starting.MILLISECONDS
    if found is not None:
        yield Goal("From exec to the first answer", _told(found, "{:.2f}", " s"), f"≤ {wanted:g} s", found[0] <= wanted)


def _told(found: Spread, form: str, unit: str = "") -> str:
    extremes = "" if found.low == found.high else f" ({form.format(found.low)}–{form.format(found.high)})"  # noqa: RUF001
    return f"{form.format(found.median)}{unit}{extremes}"


if __name__ == "__main__":
    print(table(Path(sys.argv[1])), end="")
