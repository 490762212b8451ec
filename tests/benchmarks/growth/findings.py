"""What a growing ledger was found to do: at each size the same questions, and how the building went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.findings import Findings, Sample, spread
from tests.benchmarks.growth.building import Note
from tests.benchmarks.table import NOT_MEASURED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGE, SMALL = "large", "small"
WIDTH, HEIGHT = 15.0, 4.8
MARKERS = "os^Dv<>P"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was found when the ledger had so many postings: for each question the findings of two sides."""

    postings: int
    small_postings: int
    parts: Sequence[Findings]
    # By how much the server's memory grew while it exported each.
    export_grown_mib: dict[str, float]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Measured:
        values = json.loads(text)
        return cls(**values | {"parts": [Findings.from_json(json.dumps(each)) for each in values["parts"]]})


@dataclass(frozen=True, kw_only=True)
class GrowthFindings:
    """All sizes, in their order, and how fast the ledger was built."""

    bench: str
    title: str
    notes: Sequence[Note]
    sizes: Sequence[Measured]

    def is_well(self) -> bool:
        return all(part.is_well() for size in self.sizes for part in size.parts)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GrowthFindings:
        values = json.loads(text)
        sizes = [Measured.from_json(json.dumps(each)) for each in values["sizes"]]
        return cls(**values | {"notes": [Note(**each) for each in values["notes"]], "sizes": sizes})


def _per_second(sample: Sample) -> float:
    return sample.per_second


def render(findings: GrowthFindings) -> str:
    """Return a table with a row for each question and size, and below it what is not well."""
    lines = ["| | postings | large, per second | small, per second | large is | goal |", "|---|--:|--:|--:|--:|--:|"]
    lines += [f"| {' | '.join(cells)} |" for cells in _rows(findings)]
    told = [
        f"The server grew by {size.export_grown_mib[LARGE]:,.1f} MiB while it exported {size.postings:,} postings."
        for size in findings.sizes
    ]
    if findings.notes:
        last = findings.notes[-1]
        told.append(
            f"The last of {len(findings.notes)} stretches was built with {last.per_second:,.0f} postings a second; "
            f"a posting takes {last.database_bytes / max(last.postings, 1):,.0f} bytes."
        )
    return "\n\n".join([f"## {findings.title}", "\n".join(lines), "\n".join(told), *_faults(findings)]) + "\n"


def _rows(findings: GrowthFindings) -> Iterator[list[str]]:
    for first, *_ in zip(*(size.parts for size in findings.sizes), strict=True):
        for size in findings.sizes:
            (part,) = (each for each in size.parts if each.bench == first.bench)
            met = part.meets(SMALL)
            goal = "" if met is None else f"≥ {part.goals[SMALL]:g} ×: {'yes' if met else 'no'}"  # noqa: RUF001
            speeds = [_told([each.per_second for each in part.of(side, None)], "{:,.1f}") for side in (LARGE, SMALL)]
            ratio = _told(part.ratios(SMALL, None, _per_second), "{:.2f}")
            yield [part.title, f"{size.postings:,}", *speeds, f"{ratio} ×", goal]  # noqa: RUF001


def _told(values: Sequence[float], form: str) -> str:
    found = spread(values)
    if found is None:
        return NOT_MEASURED
    return f"{form.format(found.median)} ({form.format(found.low)}–{form.format(found.high)})"  # noqa: RUF001


def _faults(findings: GrowthFindings) -> list[str]:
    told = []
    for size in findings.sizes:
        for part in size.parts:
            told += [f"- {size.postings:,}, {each.name}: {fault}" for each in part.sides for fault in each.violations]
            told += [
                f"- {size.postings:,}, {part.title}, {each.name}: {part.refused(each.name)} got no 2xx; the first: "
                f"{each.first_refusal}"
                for each in part.sides
                if part.refused(each.name)
            ]
    return ["\n".join(["Not well:", *told])] if told else []


def draw(findings: GrowthFindings, path: Path) -> None:
    """Write the picture as SVG: the ratios and the speeds by size, and how the building went."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": findings.bench, "font.size": 9})
    figure, axes = pyplot.subplots(1, 3, figsize=(WIDTH, HEIGHT), layout="constrained")
    _draw_by_size(axes[0], "Large against small", "× the small ledger's", findings, is_ratio=True)  # noqa: RUF001
    _draw_by_size(axes[1], "As many as it can", "per second", findings, is_ratio=False)
    axes[1].set_yscale("log")
    axes[2].plot([note.postings for note in findings.notes], [note.per_second for note in findings.notes], marker=".")
    axes[2].set_ylim(bottom=0)
    axes[2].set_title("Building, in batches")
    axes[2].set_ylabel("postings per second")
    for axis in axes:
        axis.set_xlabel("postings in the ledger")
        axis.grid(visible=True, color="#dddddd")
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_by_size(axis: Axes, title: str, unit: str, findings: GrowthFindings, *, is_ratio: bool) -> None:
    axis.set_xscale("log")
    for place, name in enumerate(part.bench for part in findings.sizes[0].parts):
        points, label = [], name
        for size in findings.sizes:
            (part,) = (each for each in size.parts if each.bench == name)
            label = part.title
            large = [each.per_second for each in part.of(LARGE, None)]
            found = spread(part.ratios(SMALL, None, _per_second) if is_ratio else large)
            if found is not None:
                points.append((size.postings, found))
        middle = [found.median for _, found in points]
        (line,) = axis.plot([size for size, _ in points], middle, marker=MARKERS[place % len(MARKERS)], label=label)
        for size, found in points:
            axis.plot([size, size], [found.low, found.high], color=line.get_color(), linewidth=1)
    axis.set_title(title)
    axis.set_ylabel(unit)
    if is_ratio:
        axis.axhline(0.8, color="#888888", linewidth=1, linestyle="--")
        axis.set_ylim(bottom=0)
