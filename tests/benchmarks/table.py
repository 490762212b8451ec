"""The findings of a comparison as Markdown: one table of the closed loop, one for each rate of the open loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.benchmarks.findings import MICROSECONDS, Findings, Sample, SideFindings, spread

NOT_MEASURED = "·"

Figure = Callable[[Sample], float]


def render(findings: Findings) -> str:
    """Return the tables with a heading for each, and below them what does not hold."""
    parts = [f"### {findings.title}: as many as it can", _table(findings, None, _closed(findings))]
    for rate in findings.rates():
        parts += [f"### {findings.title}: {rate:g} a second", _table(findings, rate, _open(findings, rate))]
    return "\n\n".join([*parts, *_generator(findings), *_left_out(findings), *_faults(findings)]) + "\n"


Columns = dict[str, Callable[[SideFindings], str]]


def _closed(findings: Findings) -> Columns:
    def median(figure: Figure, form: str, **more: bool) -> Callable[[SideFindings], str]:
        return lambda side: _spread([figure(each) for each in findings.of(side.name, None)], form, **more)

    return {
        f"{findings.unit}s per second": median(lambda each: each.per_second, "{:,.0f}", with_extremes=True),
        f"{findings.reference} is": lambda side: _ratio(findings, side, lambda each: each.per_second),
        **_goal(findings),
        **_latencies(findings, None, ("p50", "p95", "p99")),
        "CPU µs: application": median(lambda each: each.application_cpu, "{:,.0f}"),
        "database": median(lambda each: each.database_cpu, "{:,.0f}"),
        "WAL bytes": median(lambda each: each.per_unit(each.wal_bytes), "{:,.0f}"),
        "statements": lambda side: f"{side.statements:.3g}" if side.statements else NOT_MEASURED,
        "not 2xx": lambda side: str(sum(each.outcome.refused for each in findings.of(side.name, None))),
        "holds": lambda side: "no" if side.violations else "yes",
    }


def _goal(findings: Findings) -> Columns:
    """Return the column of what is to be reached, if anything is."""

    def told(side: SideFindings) -> str:
        met = findings.meets(side.name)
        return "" if met is None else f"≥ {findings.goals[side.name]:g} ×: {'yes' if met else 'no'}"  # noqa: RUF001

    return {"goal": told} if findings.goals else {}


def _open(findings: Findings, rate: float) -> Columns:
    return {
        **_latencies(findings, rate, ("p50", "p95", "p99", "max")),
        f"p50: {findings.reference} is": lambda side: _ratio(
            findings, side, lambda each: each.outcome.latency.get("p50", 0.0), rate
        ),
        "CPU µs: application": lambda side: _spread(
            [each.application_cpu for each in findings.of(side.name, rate)], "{:,.0f}"
        ),
        "not 2xx": lambda side: str(sum(each.outcome.refused for each in findings.of(side.name, rate))),
    }


def _latencies(findings: Findings, rate: float | None, names: Iterable[str]) -> Columns:
    def column(name: str) -> Callable[[SideFindings], str]:
        return lambda side: _spread(
            [each.outcome.latency[name] for each in findings.of(side.name, rate) if each.outcome.latency], "{:,.1f}"
        )

    return {f"{name} ms": column(name) for name in names}


def _ratio(findings: Findings, side: SideFindings, figure: Figure, rate: float | None = None) -> str:
    if side.name == findings.reference:
        return "1"
    return _spread(findings.ratios(side.name, rate, figure), "{:.2f} ×", with_extremes=True)  # noqa: RUF001


def _spread(values: Sequence[float], form: str, *, with_extremes: bool = False) -> str:
    found = spread(values)
    if found is None:
        return NOT_MEASURED
    if not with_extremes:
        return form.format(found.median)
    bare = form.split("}", 1)[0] + "}"
    return f"{form.format(found.median)} ({bare.format(found.low)}–{bare.format(found.high)})"  # noqa: RUF001


def _table(findings: Findings, rate: float | None, columns: Columns) -> str:
    sides = [side for side in findings.sides if findings.of(side.name, rate)]
    lines = [_line(["side", *columns]), _line(["---", *("--:" for _ in columns)])]
    lines += [_line([side.title, *(cell(side) for cell in columns.values())]) for side in sides]
    return "\n".join(lines)


def _generator(findings: Findings) -> list[str]:
    """Return what the generator took itself, so that one can see whether it was measured with the rest."""
    served = [each for each in findings.samples if each.application_cpu_seconds]
    cpu = _spread([each.per_unit(each.outcome.cpu_seconds) * MICROSECONDS for each in served], "{:,.0f} µs")
    lag = _spread([each.outcome.lag for each in served if each.outcome.lag is not None], "{:,.1f} ms")
    if not served:
        return []
    return [f"The generator took {cpu} of CPU for a {findings.unit}; one of a hundred left it {lag} late or later."]


def _left_out(findings: Findings) -> list[str]:
    return [f"Not installed, and so left out: {'; '.join(findings.left_out)}."] if findings.left_out else []


def _faults(findings: Findings) -> list[str]:
    """Return what makes the figures of a side worth nothing."""
    broken = [f"- {side.title}: {fault}" for side in findings.sides for fault in side.violations]
    refused = [
        f"- {side.title}: {findings.refused(side.name)} requests got no 2xx; the first: {side.first_refusal}"
        for side in findings.sides
        if findings.refused(side.name)
    ]
    return ["\n".join(["Not well:", *broken, *refused])] if broken or refused else []


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
