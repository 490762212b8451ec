"""Every bench runs, with what is installed: its servers serve, nothing is refused, and all books hold at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.house_rules import ROOT
from tests.benchmarks.__main__ import CAN_PLOT, NAMES, bench
from tests.benchmarks.compare import Comparison
from tests.benchmarks.findings import Findings
from tests.benchmarks.growth.findings import GrowthFindings
from tests.benchmarks.series import Series, SeriesFindings

# Short, and with few accounts: whether it works, not how fast.
SHORT = ["--rounds", "1", "--seconds", "0.5", "--warm-up", "0.5", "--rates", "10", "--minutes", "0.2"]
SECONDS_MAX = 900
# No comparisons, nor series of them.
OTHERS = {name for name in NAMES if not isinstance(bench(name), Comparison | Series)}


def run(name: str, out: Path, *more: str) -> str:
    """Run a bench, see that it finds all well, and return what it kept."""
    command = [sys.executable, "-m", "tests.benchmarks", name, *SHORT, *more, "--out", str(out)]
    environment = os.environ | {"BENCH_ACCOUNTS": "20"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert bench(name).title in done.stdout
    assert (out / f"bench-{name}.svg").exists() == CAN_PLOT
    return (out / f"bench-{name}.json").read_text(encoding="utf-8")


def check(findings: Findings) -> None:
    """See that each side was measured."""
    for side in findings.sides:
        assert sum(each.outcome.accepted for each in findings.of(side.name, None)) > 0
        assert len(findings.of(side.name, 10.0)) <= 1
    assert findings.of(findings.reference, 10.0)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Lend a directory that the server's own user can enter, where there is one; pytest's are for its user alone."""
    with tempfile.TemporaryDirectory(prefix="myapp_bench_kept_") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.long
class TestBench:
    @pytest.mark.parametrize("name", [name for name in NAMES if isinstance(bench(name), Comparison)])
    def test_of_one_comparison_runs_and_finds_all_well(self, name: str, tmp_path: Path):
        findings = Findings.from_json(run(name, tmp_path))

        check(findings)
        assert {side.name for side in findings.sides} >= {side.name for side in bench(name).sides if side.is_here()}

    @pytest.mark.parametrize("name", [name for name in NAMES if isinstance(bench(name), Series)])
    def test_of_several_comparisons_runs_and_finds_all_well(self, name: str, tmp_path: Path):
        findings = SeriesFindings.from_json(run(name, tmp_path))

        assert [part.bench for part in findings.parts] == [part.name for part in bench(name).parts]
        for part in findings.parts:
            check(part)

    def test_of_growth_goes_on_where_it_was(self, tmp_path: Path, open_directory: Path):
        kept = ["--directory", str(open_directory / "kept"), "--postings"]
        first = GrowthFindings.from_json(run("growth", tmp_path, *kept, "4000"))
        then = GrowthFindings.from_json(run("growth", tmp_path, *kept, "8000"))

        assert [size.postings for size in first.sizes] == [4_000]
        assert [note.postings for note in then.notes] == [4_000, 8_000]
        # What was recorded to measure it stays.
        assert then.sizes[0] == first.sizes[0]
        assert then.sizes[1].postings > 8_000
        assert {part.bench for part in then.sizes[1].parts} >= {"growth-record", "growth-export", "growth-verify"}

    @pytest.mark.parametrize("name", sorted(OTHERS - {"growth"}))
    def test_of_another_kind_runs_and_finds_all_well(self, name: str, tmp_path: Path):
        assert json.loads(run(name, tmp_path))["bench"] == name
