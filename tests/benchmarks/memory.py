"""What a process holds in memory: at rest, and how it grows under load. Everything about figures here is pure.

Memory is in KiB. A line is fitted through what was seen after the warm-up, the part in which caches fill.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

KIB = 1024
PER = 1_000
WARM_UP_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One process at one moment of the load."""

    seconds: float
    pid: int
    rss_kib: float
    uss_kib: float


@dataclass(frozen=True, kw_only=True)
class MemoryFindings:
    """All that was seen; `refused` and `violations` say what was not well."""

    bench: str
    title: str
    machine: Mapping[str, str]
    seconds: float
    requests: int
    refused: int
    first_refusal: str | None
    violations: Sequence[str]
    at_rest: Sequence[Reading]
    under_load: Sequence[Reading]

    def is_well(self) -> bool:
        return not self.refused and not self.violations

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> MemoryFindings:
        values = json.loads(text)
        readings = {name: [Reading(**each) for each in values[name]] for name in ("at_rest", "under_load")}
        return cls(**values | readings)

    def pids(self) -> list[int]:
        return sorted({each.pid for each in self.under_load})

    def of(self, pid: int) -> list[Reading]:
        """Return what was seen of a process after the warm-up."""
        return [each for each in self.under_load if each.pid == pid and each.seconds >= WARM_UP_SHARE * self.seconds]

    def grown_kib(self, pid: int, of: Callable[[Reading], float]) -> float | None:
        """Return by how many KiB the line rises for each thousand requests of all processes."""
        readings = self.of(pid)
        if len({each.seconds for each in readings}) < 2 or not self.requests:
            return None
        line = statistics.linear_regression([each.seconds for each in readings], [of(each) for each in readings])
        return line.slope * self.seconds / self.requests * PER


def read(pids: Sequence[int], seconds: float) -> Iterator[Reading]:
    """Yield what each process holds now; one that has ended holds nothing."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            held = psutil.Process(pid).memory_full_info()
            yield Reading(seconds=seconds, pid=pid, rss_kib=held.rss / KIB, uss_kib=held.uss / KIB)


@contextmanager
def watched(pids: Sequence[int], every_seconds: float) -> Iterator[list[Reading]]:
    """Look at the processes again and again as long as the block lasts."""
    readings: list[Reading] = []
    is_over = threading.Event()
    began = time.monotonic()

    def look() -> None:
        while True:
            readings.extend(read(pids, time.monotonic() - began))
            if is_over.wait(every_seconds):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield readings
    finally:
        is_over.set()
        thread.join()


def render(findings: MemoryFindings) -> str:
    """Return a row for each process, and below it what is not well."""
    heads = ["process", "RSS at rest, MiB", "USS", "RSS at the end", "USS"]
    heads += [f"RSS grew by, KiB per {PER:,} requests", "USS"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    for number, pid in enumerate(findings.pids(), 1):
        rest = [each for each in findings.at_rest if each.pid == pid]
        ends = [_mib(each[-1:]) for each in (rest, findings.of(pid))]
        grown = [findings.grown_kib(pid, of) for of in (lambda each: each.rss_kib, lambda each: each.uss_kib)]
        cells = [str(number), *ends[0], *ends[1], *("·" if each is None else f"{each:+,.1f}" for each in grown)]
        lines.append(f"| {' | '.join(cells)} |")
    told = f"{findings.requests:,} requests in {findings.seconds:,.0f} s, of which {findings.refused} got no 2xx."
    faults = [findings.first_refusal] if findings.refused and findings.first_refusal else []
    not_well = ["Not well:", *(f"- {each}" for each in [*findings.violations, *faults])]
    parts = [f"## {findings.title}", "\n".join(lines), told]
    return "\n\n".join([*parts, *([] if findings.is_well() else ["\n".join(not_well)])]) + "\n"


def _mib(last: Sequence[Reading]) -> list[str]:
    if not last:
        return ["·", "·"]
    return [f"{last[0].rss_kib / KIB:,.1f}", f"{last[0].uss_kib / KIB:,.1f}"]


def draw(findings: MemoryFindings, path: Path) -> None:
    """Write the picture as SVG: what each process held over time."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": findings.bench, "font.size": 9})
    figure, axis = pyplot.subplots(figsize=(9.0, 4.2), layout="constrained")
    for number, pid in enumerate(findings.pids(), 1):
        seen = [each for each in findings.under_load if each.pid == pid]
        seconds = [each.seconds for each in seen]
        axis.plot(seconds, [each.rss_kib / KIB for each in seen], label=f"process {number}: RSS")
        axis.plot(seconds, [each.uss_kib / KIB for each in seen], label=f"process {number}: USS", linestyle="--")
    axis.axvline(WARM_UP_SHARE * findings.seconds, color="#888888", linewidth=1)
    axis.set_title(findings.title)
    axis.set_xlabel("seconds under load; the line is fitted behind the mark")
    axis.set_ylabel("MiB")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    axis.grid(visible=True, color="#dddddd")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
