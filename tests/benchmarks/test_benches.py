"""Every bench runs, with what is installed: its servers serve, nothing is refused, and all books hold at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house_rules import ROOT
from tests.benchmarks.__main__ import NAMES, bench
from tests.benchmarks.findings import Findings

# Short, and with few accounts: whether it works, not how fast.
SHORT = ["--rounds", "1", "--seconds", "0.5", "--warm-up", "0.5", "--rates", "10"]
SECONDS_MAX = 900


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
class TestBench:
    def test_runs_and_finds_all_well(self, name: str, tmp_path: Path):
        command = [sys.executable, "-m", "tests.benchmarks", name, *SHORT, "--out", str(tmp_path)]
        environment = os.environ | {"BENCH_ACCOUNTS": "20"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert bench(name).title in done.stdout
        findings = Findings.from_json((tmp_path / f"bench-{name}.json").read_text(encoding="utf-8"))
        assert {"myapp", "starter-orm"} <= {side.name for side in findings.sides}
        for side in findings.sides:
            closed, at_a_rate = findings.of(side.name, None), findings.of(side.name, 10.0)
            assert sum(each.outcome.accepted for each in closed) > 0
            assert len(at_a_rate) == 1
            assert side.statements >= 1
