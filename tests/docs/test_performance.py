"""docs/performance.md says what was found: its table is made from the findings, and its pictures are there."""

from __future__ import annotations

import re

import pytest

from tests.architecture.house_rules import ROOT
from tests.benchmarks import goals
from tests.benchmarks.findings import Findings, Sample, SideFindings
from tests.benchmarks.load.order import Outcome

PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "benchmarks"


def test_the_table_of_goals_is_made_from_the_findings() -> None:
    made = goals.table(KEPT)

    assert len(made.splitlines()) > len(goals.KEPT)
    assert made in PAGE.read_text(encoding="utf-8")


def test_what_was_found_is_there_as_tables_as_a_picture_and_whole() -> None:
    linked = set(re.findall(r"\(benchmarks/(bench-[a-z]+)\.", PAGE.read_text(encoding="utf-8")))

    assert {f"bench-{name}" for name in goals.KEPT} <= linked
    for name in linked:
        assert all((KEPT / f"{name}.{suffix}").exists() for suffix in ("md", "json", "svg")), name


@pytest.mark.parametrize(("ours", "told"), [(200.0, "2.00 × | ≥ 1.5 ×: yes"), (100.0, "1.00 × | ≥ 1.5 ×: **no**")])  # noqa: RUF001
def test_a_goal_is_met_by_the_ratio(ours: float, told: str) -> None:
    findings = Findings(
        bench="record",
        title="Record",
        reference="us",
        machine={},
        settings={},
        left_out=[],
        sides=[side("us"), side("them")],
        samples=[sample("us", 0, ours), sample("them", 1, 100.0)],
        goals={"them": 1.5, "nobody": 9.0},
    )

    (goal,) = goals.of(findings)

    assert f"{goal.found} | {goal.wanted}: {'yes' if goal.is_met else '**no**'}" == told


def side(name: str) -> SideFindings:
    return SideFindings(name=name, title=name, statements=1.0, violations=[], first_refusal=None)


def sample(name: str, place: int, accepted: float) -> Sample:
    outcome = Outcome(
        seconds=1.0, statuses={"201": int(accepted)}, latency={}, cpu_seconds=0.0, lag=None, first_refusal=None
    )
    return Sample(
        side=name,
        round=0,
        place=place,
        rate=None,
        outcome=outcome,
        application_cpu_seconds=0.0,
        database_cpu_seconds=0.0,
        wal_bytes=0,
    )
