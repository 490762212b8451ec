"""The findings of comparisons as a picture: a row of panels for each, in it a row for each side.

The median is marked, the extremes are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.findings import Findings, Sample, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT_OF_ROW, HEIGHT_OF_REST = 13.0, 0.34, 1.6
# Distinguishable without colours as well, by their markers.
STYLES = (("#1f4e79", "o"), ("#b3541e", "s"), ("#3b7a3b", "^"), ("#6a3d8a", "D"))

# What a series shows of a run, of the closed loop or of an open one.
Series = tuple[str, float | None, Callable[[Sample], float]]


def draw(all_findings: Sequence[Findings], path: Path) -> None:
    """Write the picture as SVG, the same bytes for the same findings."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": all_findings[0].bench, "font.size": 9})
    heights = [HEIGHT_OF_ROW * len(findings.sides) + HEIGHT_OF_REST for findings in all_findings]
    figure, axes = pyplot.subplots(
        len(heights),
        3,
        figsize=(WIDTH, sum(heights)),
        sharey="row",
        layout="constrained",
        squeeze=False,
        height_ratios=heights,
    )
    for findings, row in zip(all_findings, axes, strict=True):
        _draw_row(row, findings)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_row(axes: Sequence[Axes], findings: Findings) -> None:
    of = f"{findings.unit}s per second"
    title = f"{findings.title}: as many as it can"
    _draw_panel(axes[0], title, of, findings, [("", None, lambda it: it.per_second)])
    cpu: Sequence[Series] = (
        ("application", None, lambda it: it.application_cpu),
        ("database", None, lambda it: it.database_cpu),
    )
    _draw_panel(axes[1], f"What a {findings.unit} costs", "µs of CPU", findings, cpu)
    axes[2].set_xscale("log")
    _draw_panel(axes[2], "How long 99 % wait at most", "ms, from when due", findings, _waits(findings))
    axes[0].set_yticks(range(len(findings.sides)), [side.title for side in findings.sides])
    axes[0].set_ylim(len(findings.sides) - 0.5, -0.5)


def _waits(findings: Findings) -> Sequence[Series]:
    def wait(sample: Sample) -> float:
        return sample.outcome.latency["p99"]

    return [(f"{rate:g} a second", rate, wait) for rate in findings.rates()] or [("closed loop", None, wait)]


def _draw_panel(axis: Axes, title: str, unit: str, findings: Findings, series: Sequence[Series]) -> None:
    for (label, rate, figure), (colour, marker) in zip(series, STYLES, strict=False):
        for row, side in enumerate(findings.sides):
            found = spread([figure(each) for each in findings.of(side.name, rate) if each.outcome.latency])
            if found is not None:
                axis.plot([found.low, found.high], [row, row], color=colour, linewidth=1)
                name = label if row == 0 else None
                axis.plot([found.median], [row], color=colour, marker=marker, linestyle="none", label=name)
    if any(label for label, _, _ in series):
        axis.legend(frameon=False)
    axis.set_title(title)
    axis.set_xlabel(unit)
    if axis.get_xscale() == "linear":
        axis.set_xlim(0, axis.get_xlim()[1] * 1.05)
    axis.grid(visible=True, color="#dddddd")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
