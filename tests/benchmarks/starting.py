"""How long a start takes, from exec to the first answer, and what it is spent on. Times are in milliseconds."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.findings import spread
from tests.benchmarks.running import HOST, ROOT, START_SECONDS

MILLISECONDS = 1000
POLL_SECONDS = 0.002
OK = 200
# `import time: self [us] | cumulative | imported package`
IMPORTED = re.compile(r"^import time: +(\d+) \| +\d+ \|\s*([\w.]+)", re.MULTILINE)
PACKAGES_TOLD = 12
GOAL_MS = 1_500.0
# Runs in a process of its own: makes the application twice, so that the second time nothing is imported any more.
STAGES = """
import json, sys, time
began = time.perf_counter()
from pyramid.paster import get_app
get_app(sys.argv[1])
imported = time.perf_counter()
get_app(sys.argv[1])
print(json.dumps({"first": imported - began, "second": time.perf_counter() - imported}))
"""


@dataclass(frozen=True, kw_only=True)
class Starting:
    """One who starts: its command but for the port, which `{port}` stands for, and the pages asked for, in order."""

    name: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str]
    paths: Sequence[str]
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start: until the port was open, and until each page was answered."""

    name: str
    listening_ms: float
    answered_ms: Mapping[str, float]
    faults: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class StartupFindings:
    """All starts, and for each side the milliseconds that imports took by package, and its stages."""

    bench: str
    title: str
    titles: Mapping[str, str]
    starts: Sequence[Start]
    imports_ms: Mapping[str, Mapping[str, float]]
    stages_ms: Mapping[str, float]

    def is_well(self) -> bool:
        return not any(each.faults for each in self.starts)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StartupFindings:
        values = json.loads(text)
        return cls(**values | {"starts": [Start(**each) for each in values["starts"]]})

    def of(self, name: str) -> list[Start]:
        return [each for each in self.starts if each.name == name]


def start(of: Starting, port: int, log: Path, *options: str) -> Start:
    """Start it, ask for its pages, and end it; `options` are the interpreter's."""
    command = [sys.executable, *options, *(each.format(port=port) for each in of.command)]
    answered, faults = {}, []
    began = time.perf_counter()
    with _running(command, of.environment, log) as process:
        connection = _connected(process, port, log)
        listening = time.perf_counter() - began
        for path in of.paths:
            connection.request("GET", path, headers=dict(of.headers))
            answer = connection.getresponse()
            answer.read()
            answered[path] = (time.perf_counter() - began) * MILLISECONDS
            if answer.status != OK:
                faults.append(f"{of.name}: GET {path} was answered {answer.status}")
        connection.close()
    return Start(name=of.name, listening_ms=listening * MILLISECONDS, answered_ms=answered, faults=faults)


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(START_SECONDS)


def _connected(process: subprocess.Popen[bytes], port: int, log: Path) -> http.client.HTTPConnection:
    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
        try:
            connection.connect()
            return connection
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"It does not serve:\n{log.read_text(encoding='utf-8')}") from None
            time.sleep(POLL_SECONDS)


def imports(log: str) -> dict[str, float]:
    """Return the milliseconds that each package itself took to import, by what `-X importtime` wrote."""
    found: Counter[str] = Counter()
    for microseconds, name in IMPORTED.findall(log):
        found[name.split(".")[0]] += int(microseconds)
    return {name: microseconds / MILLISECONDS for name, microseconds in found.most_common()}


def stages(ini: str, environment: Mapping[str, str]) -> dict[str, float]:
    """Return what the interpreter takes alone, what importing does, and making the application when all is imported."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=START_SECONDS)
    alone = time.perf_counter() - began
    done = subprocess.run(
        [sys.executable, "-c", STAGES, ini],
        cwd=ROOT,
        env=dict(environment),
        check=True,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    took = json.loads(done.stdout)
    seconds = {
        "the interpreter": alone,
        "imports": took["first"] - took["second"],
        "making the application, all imported": took["second"],
    }
    return {name: each * MILLISECONDS for name, each in seconds.items()}


def render(findings: StartupFindings) -> str:
    """Return what each start took, and what the imports did."""
    lines = ["| from exec, ms | port open | first answer | last answer | goal |", "|---|--:|--:|--:|--:|"]
    reference = next(iter(findings.titles))
    for name, title in findings.titles.items():
        starts = findings.of(name)
        answered = [list(each.answered_ms.values()) for each in starts]
        met = (spread([each[0] for each in answered]) or (GOAL_MS,))[0] <= GOAL_MS
        goal = f"≤ {GOAL_MS:,.0f}: {'yes' if met else 'no'}" if name == reference else ""
        times = [
            [each.listening_ms for each in starts],
            [each[0] for each in answered],
            [each[-1] for each in answered],
        ]
        lines.append(f"| {' | '.join([title, *(_told(each) for each in times), goal])} |")
    told = [f"- {name}: {took:,.0f} ms" for name, took in findings.stages_ms.items()]
    parts = [f"## {findings.title}", "\n".join(lines), "Of which, each measured alone:", "\n".join(told)]
    faults = [f"- {fault}" for each in findings.starts for fault in each.faults]
    return "\n\n".join([*parts, _imports(findings), *(["\n".join(["Not well:", *faults])] if faults else [])]) + "\n"


def _imports(findings: StartupFindings) -> str:
    lines = [f"| imports, ms | {' | '.join(findings.titles.values())} |", "|---|" + "--:|" * len(findings.titles)]
    by_side = [findings.imports_ms.get(name, {}) for name in findings.titles]
    told = list(by_side[0])[:PACKAGES_TOLD]
    lines += [f"| {name} | {' | '.join(f'{each.get(name, 0.0):,.1f}' for each in by_side)} |" for name in told]
    rest = [sum(took for name, took in each.items() if name not in told) for each in by_side]
    lines.append(f"| all others | {' | '.join(f'{each:,.1f}' for each in rest)} |")
    lines.append(f"| together | {' | '.join(f'{sum(each.values()):,.1f}' for each in by_side)} |")
    return "\n".join(lines)


def _told(values: Sequence[float]) -> str:
    found = spread(values)
    assert found is not None
    return f"{found.median:,.0f} ({found.low:,.0f}–{found.high:,.0f})"  # noqa: RUF001


def draw(findings: StartupFindings, path: Path) -> None:
    """Write the picture as SVG: each start, and the imports by package."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": findings.bench, "font.size": 9})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13.0, 4.2), layout="constrained")
    for row, name in enumerate(findings.titles):
        values = [next(iter(each.answered_ms.values())) for each in findings.of(name)]
        left.plot(values, [row] * len(values), marker="o", linestyle="none", color="#1f4e79")
    left.axvline(GOAL_MS, color="#888888", linewidth=1, linestyle="--")
    left.set_yticks(range(len(findings.titles)), list(findings.titles.values()))
    left.set_xlim(left=0)
    left.set_title("From exec to the first answer, each start")
    left.set_xlabel("ms")
    took = list(findings.imports_ms[next(iter(findings.titles))].items())[:PACKAGES_TOLD]
    right.barh([name for name, _ in took], [each for _, each in took], color="#1f4e79")
    right.invert_yaxis()
    right.set_title("Imports by package")
    right.set_xlabel("ms, with the timing's own cost")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
