"""The findings as Markdown, two tables for each database: what goes wrong, and what it costs.

Where `expire_on_commit` makes a difference a cell has two figures, on / off; `·` stands for what was not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.benchmarks.sessions.findings import Cost, Findings, Share

NOT_MEASURED = "·"

Cell = Callable[[Findings], str]


def render(findings: Sequence[Findings]) -> str:
    """Return all tables, with a heading for each."""
    parts = []
    for dialect in dict.fromkeys(each.dialect for each in findings):
        here = [each for each in findings if each.dialect == dialect]
        parts += [f"### {dialect}: what goes wrong", _table(_wrong(dialect), here)]
        parts += [f"### {dialect}: what it costs", _table(COSTS, here)]
    return "\n\n".join(parts) + "\n"


def _wrong(dialect: str) -> dict[str, Cell]:
    postgresql: dict[str, Cell] = {
        "stale at REPEATABLE READ": lambda each: _percent(each.staleness.repeatable),
    }
    left = {
        "postgresql": "idle in transaction after reads, changes, failures",
        "sqlite": "connections held after reads, changes, failures",
    }
    return {
        "stale reads": lambda each: _percent(each.staleness.plain),
        "stale, objects kept": lambda each: _percent(each.staleness.kept),
        **(postgresql if dialect == "postgresql" else {}),
        "outside changes overwritten": lambda each: _percent(each.staleness.overwritten),
        "failed, yet half done": lambda each: _percent(each.failures.half_done),
        "accepted, undone by a neighbour": lambda each: _yes_or_no(each.failures.undone),
        "healthy, refused": lambda each: _percent(each.failures.refused),
        left[dialect]: _left,
    }


COSTS: dict[str, Cell] = {
    "SELECT, UPDATE: read": lambda each: f"{each.statements.read:g}",
    "read, object kept": lambda each: f"{each.statements.read_kept:g}",
    "SELECT, UPDATE: change": lambda each: f"{each.statements.change:g}",
    "transactions: read": lambda each: f"{each.statements.ends_read:g}",
    "transactions: change": lambda each: f"{each.statements.ends_change:g}",
    "CPU: read": lambda each: _cpu(each.cost, lambda cost: (cost.read_microseconds, cost.read_ratio)),
    "CPU: change": lambda each: _cpu(each.cost, lambda cost: (cost.change_microseconds, cost.change_ratio)),
    "memory grown": lambda each: NOT_MEASURED if each.memory is None else f"{each.memory.grown_mib:.1f} MiB",
    "sessions, objects alive": lambda each: (
        NOT_MEASURED if each.memory is None else f"{each.memory.sessions}, {each.memory.objects}"
    ),
}


def _table(columns: dict[str, Cell], findings: Sequence[Findings]) -> str:
    lines = [_line(["session", *columns]), _line(["---", *("--:" for _ in columns)])]
    for strategy in dict.fromkeys(each.strategy for each in findings):
        rows = sorted((each for each in findings if each.strategy == strategy), key=lambda each: -each.expire_on_commit)
        lines.append(_line([rows[0].title, *(_both([cell(row) for row in rows]) for cell in columns.values())]))
    return "\n".join(lines)


def _both(cells: Iterable[str]) -> str:
    """Return the figures with expiry on and off, or the one where they agree or only one was taken."""
    different = dict.fromkeys(cells)
    measured = [cell for cell in different if cell != NOT_MEASURED]
    return " / ".join(measured) or NOT_MEASURED


def _left(each: Findings) -> str:
    left = each.leftovers
    idle = (left.idle_after_reads, left.idle_after_changes, left.idle_after_failures)
    held = (left.checked_out_after_reads, left.checked_out_after_changes, left.checked_out_after_failures)
    return ", ".join(str(number) for number in (held if None in idle else idle))


def _yes_or_no(answer: bool | None) -> str:
    return NOT_MEASURED if answer is None else "yes" if answer else "no"


def _percent(share: Share | None) -> str:
    return NOT_MEASURED if share is None else "0" if share.count == 0 else f"{share.percent:.0f} %"


def _cpu(cost: Cost | None, part: Callable[[Cost], tuple[float, float]]) -> str:
    if cost is None:
        return NOT_MEASURED
    microseconds, ratio = part(cost)
    return f"{microseconds:.0f} µs ({ratio:.2f} ×)"  # noqa: RUF001


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
