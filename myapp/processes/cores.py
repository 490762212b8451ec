"""How many processors this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def usable(*, cgroups: Path = CGROUPS, own_cgroup: Path = OWN_CGROUP) -> int:
    """Return the number of processors, at least one: those it may run on, within the quota of its control groups."""
    return max(1, min([_allowed(), *_quotas(cgroups, own_cgroup)]))


def _allowed() -> int:
    # Not everywhere; where it is, it knows of `taskset` and of a container's cpuset.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(cgroups: Path, own_cgroup: Path) -> Iterator[int]:
    """Yield what `cpu.max` of this process's control group and of each above it gives, in whole processors."""
    try:
        unified = next(line for line in own_cgroup.read_text().splitlines() if line.startswith("0::/"))
    except (OSError, StopIteration):
        return
    own = cgroups / unified.removeprefix("0::/")
    for group in (own, *own.parents):
        if group.is_relative_to(cgroups) and (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) // int(period)
