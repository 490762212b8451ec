"""How many processors there are, from files as Linux has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from myapp.processes import cores


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the control groups of a machine with eight processors, on which this process is in /system/service."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "system" / "service").mkdir(parents=True)
    (tmp_path / "own").write_text("9:name=systemd:/other\n0::/system/service\n")
    return tmp_path


def usable(cgroups: Path) -> int:
    return cores.usable(cgroups=cgroups, own_cgroup=cgroups / "own")


class TestUsable:
    def test_is_what_this_process_may_run_on(self, cgroups: Path):
        (cgroups / "system" / "service" / "cpu.max").write_text("max 100000\n")

        assert usable(cgroups) == 8

    @pytest.mark.parametrize(
        ("quota", "expected"), [("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("400000 200000", 2)]
    )
    def test_is_within_the_quota_of_its_control_group(self, cgroups: Path, quota: str, expected: int):
        (cgroups / "system" / "service" / "cpu.max").write_text(f"{quota}\n")

        assert usable(cgroups) == expected

    def test_is_within_the_quotas_above(self, cgroups: Path):
        (cgroups / "system" / "cpu.max").write_text("300000 100000\n")
        (cgroups / "system" / "service" / "cpu.max").write_text("500000 100000\n")

        assert usable(cgroups) == 3

    def test_needs_no_control_groups(self, cgroups: Path):
        assert cores.usable(cgroups=cgroups, own_cgroup=cgroups / "none") == 8

    def test_is_at_least_one_here(self):
        assert 1 <= cores.usable() <= (os.cpu_count() or 1)
