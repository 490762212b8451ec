"""The findings on PostgreSQL as a picture: a row for each strategy, a panel for each question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.sessions.findings import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIALECT = "postgresql"
WIDTH, HEIGHT = 13.0, 4.6
# Distinguishable without colours as well: the marker with expiry on is hollow.
ON, OFF = ("#b3541e", "none"), ("#1f4e79", "#1f4e79")
PERCENT = (-4, 104)

Panel = tuple[str, str, Callable[[Findings], float | None], tuple[float, float] | None]

PANELS: Sequence[Panel] = (
    ("Stale reads,\nobjects kept", "% of reads", lambda each: each.staleness.kept.percent, PERCENT),
    ("Outside changes\noverwritten", "% of changes", lambda each: each.staleness.overwritten.percent, PERCENT),
    ("Failed,\nyet half done", "% of failed requests", lambda each: each.failures.half_done.percent, PERCENT),
    ("Healthy,\nyet refused", "% of healthy requests", lambda each: each.failures.refused.percent, PERCENT),
    ("CPU\nof a change", "× one per request, off", lambda each: each.cost.change_ratio if each.cost else None, None),  # noqa: RUF001
)


def draw(findings: Sequence[Findings], path: Path) -> None:
    """Write the picture as SVG, the same bytes for the same findings."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.rcParams.update({"svg.hashsalt": "sessions", "font.size": 9})
    here = [each for each in findings if each.dialect == DIALECT]
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(WIDTH, HEIGHT), sharey=True, layout="constrained")
    for panel, axis in zip(PANELS, axes, strict=True):
        _draw_panel(axis, panel, here)
    titles = [each.title for each in here if each.expire_on_commit]
    axes[0].set_yticks(range(len(titles)), titles)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_panel(axis: Axes, panel: Panel, findings: Sequence[Findings]) -> None:
    title, unit, value, limits = panel
    for is_on, label, (edge, face), size in ((True, "on", ON, 9), (False, "off", OFF, 5)):
        rows = [each for each in findings if each.expire_on_commit == is_on]
        points = [(figure, row) for row, each in enumerate(rows) if (figure := value(each)) is not None]
        axis.plot(
            [figure for figure, _ in points],
            [row for _, row in points],
            linestyle="none",
            marker="o",
            markersize=size,
            markeredgecolor=edge,
            markerfacecolor=face,
            label=f"expire_on_commit {label}",
        )
    axis.set_title(title)
    axis.set_xlabel(unit)
    axis.set_xlim(*(limits or (0, axis.get_xlim()[1] * 1.05)))
    axis.grid(visible=True, color="#dddddd")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
