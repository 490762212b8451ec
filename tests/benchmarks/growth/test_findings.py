"""What is told of a ledger at several sizes: a row for each question and size, and what is not well."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from tests.benchmarks.findings import Findings, Sample, SideFindings
from tests.benchmarks.growth import findings
from tests.benchmarks.growth.building import Note
from tests.benchmarks.growth.findings import LARGE, SMALL, GrowthFindings, Measured
from tests.benchmarks.load.order import Outcome

LATENCY = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0}


def sample(side: str, place: int, accepted: int, refused: int = 0) -> Sample:
    statuses = {"200": accepted} | ({"503": refused} if refused else {})
    return Sample(
        side=side,
        round=0,
        place=place,
        rate=None,
        outcome=Outcome(seconds=1.0, statuses=statuses, latency=LATENCY, cpu_seconds=0, lag=None, first_refusal=None),
        application_cpu_seconds=0.5,
        database_cpu_seconds=0.25,
        wal_bytes=0,
    )


def part(large: int, *, violations: tuple[str, ...] = (), refused: int = 0) -> Findings:
    """Return findings where the small ledger did 100 a second."""
    return Findings(
        bench="growth-balance",
        title="Balance",
        reference=LARGE,
        machine={},
        settings={},
        left_out=[],
        goals={SMALL: 0.8},
        sides=[
            SideFindings(name=LARGE, title="large", statements=0, violations=violations, first_refusal="said no"),
            SideFindings(name=SMALL, title="small", statements=0, violations=[], first_refusal=None),
        ],
        samples=[sample(LARGE, 0, large, refused), sample(SMALL, 1, 100), sample(LARGE, 2, large)],
    )


def found(*parts: Findings) -> GrowthFindings:
    sizes = [
        Measured(postings=10 ** (4 + place), small_postings=10_000, parts=[each], export_grown_mib={LARGE: 1.5})
        for place, each in enumerate(parts)
    ]
    return GrowthFindings(bench="growth", title="Growth", notes=[Note(10_000, 5_000.0, 15_000_000)], sizes=sizes)


class TestGrowthFindings:
    def test_survive_json(self):
        of = found(part(100), part(90))

        assert GrowthFindings.from_json(of.to_json()).to_json() == of.to_json()

    def test_are_well_only_if_they_are_at_each_size(self):
        assert found(part(100), part(90)).is_well()
        assert not found(part(100), part(90, violations=("balances: 1 differ",))).is_well()
        assert not found(part(100, refused=1), part(90)).is_well()


class TestRender:
    def test_has_a_row_for_each_size_with_the_ratio_and_whether_it_is_reached(self):
        text = findings.render(found(part(90), part(70)))

        small, large = (line for line in text.splitlines() if line.startswith("| Balance"))
        assert "| 10,000 | 90.0 (90.0–90.0) | 100.0 (100.0–100.0) | 0.90 (0.90–0.90) × | ≥ 0.8 ×: yes |" in small  # noqa: RUF001
        assert "| 100,000 | 70.0 (70.0–70.0) | 100.0 (100.0–100.0) | 0.70 (0.70–0.70) × | ≥ 0.8 ×: no |" in large  # noqa: RUF001
        assert "The server grew by 1.5 MiB while it exported 100,000 postings." in text
        assert "with 5,000 postings a second; a posting takes 1,500 bytes." in text
        assert "Not well" not in text

    def test_says_what_is_not_well_and_at_which_size(self):
        text = findings.render(found(part(90), part(70, violations=("balances: 1 differ",), refused=2)))

        assert "- 100,000, large: balances: 1 differ" in text
        assert "- 100,000, Balance, large: 2 got no 2xx; the first: said no" in text


class TestDraw:
    @pytest.mark.long
    @pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
    def test_writes_the_same_picture_each_time(self, tmp_path: Path):
        of = found(part(90), part(70))

        findings.draw(of, tmp_path / "one.svg")
        findings.draw(dataclasses.replace(of), tmp_path / "two.svg")

        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
