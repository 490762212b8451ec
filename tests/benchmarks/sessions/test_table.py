"""The tables of the findings say what the findings are."""

from __future__ import annotations

import dataclasses

from tests.benchmarks.sessions import table
from tests.benchmarks.sessions.findings import Cost, Failures, Findings, Leftovers, Share, Staleness, Statements

NONE, HALF = Share(count=0, of=8), Share(count=4, of=8)

FOUND = Findings(
    strategy="call",
    title="one per call",
    dialect="postgresql",
    expire_on_commit=True,
    staleness=Staleness(plain=NONE, kept=HALF, repeatable=HALF, overwritten=NONE, errors={}),
    failures=Failures(half_done=NONE, lost=NONE, refused=NONE, undone=None, errors={}),
    leftovers=Leftovers(
        checked_out_after_reads=9,
        checked_out_after_changes=9,
        checked_out_after_failures=9,
        idle_after_reads=4,
        idle_after_changes=0,
        idle_after_failures=1,
    ),
    statements=Statements(read=1.0, read_kept=0.5, change=3.0, ends_read=1.0, ends_change=2.0),
    cost=Cost(
        read_microseconds=250.4,
        read_ratio=0.5,
        change_microseconds=900.0,
        change_ratio=1.25,
        read_rounds=[250.4],
        change_rounds=[900.0],
    ),
)
OTHER = dataclasses.replace(
    FOUND,
    expire_on_commit=False,
    statements=dataclasses.replace(FOUND.statements, change=2.0),
    cost=None,
)


def rows(text: str) -> list[dict[str, str]]:
    """Return each row of the tables as its cells by their headings."""
    tables = [part.splitlines() for part in text.strip().split("\n\n") if part.startswith("|")]
    return [dict(zip(_cells(lines[0]), _cells(line), strict=True)) for lines in tables for line in lines[2:]]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


class TestRender:
    def test_has_a_row_in_each_of_two_tables_for_each_strategy(self):
        wrong, costs = rows(table.render([FOUND, OTHER]))

        assert wrong["session"] == costs["session"] == "one per call"
        assert wrong["stale reads"] == "0"
        assert wrong["stale, objects kept"] == wrong["stale at REPEATABLE READ"] == "50 %"
        assert wrong["accepted, undone by a neighbour"] == "·"
        assert wrong["idle in transaction after reads, changes, failures"] == "4, 0, 1"
        assert costs["CPU: read"] == "250 µs (0.50 ×)"  # noqa: RUF001

    def test_gives_both_figures_only_where_expiring_makes_a_difference(self):
        _wrong, costs = rows(table.render([OTHER, FOUND]))

        assert costs["SELECT, UPDATE: change"] == "3 / 2"
        assert costs["SELECT, UPDATE: read"] == "1"

    def test_counts_held_connections_where_the_database_knows_no_idle_transactions(self):
        left = dataclasses.replace(
            FOUND.leftovers, idle_after_reads=None, idle_after_changes=None, idle_after_failures=None
        )
        wrong, _costs = rows(table.render([dataclasses.replace(FOUND, dialect="sqlite", leftovers=left)]))

        assert wrong["connections held after reads, changes, failures"] == "9, 9, 9"
        assert "stale at REPEATABLE READ" not in wrong
