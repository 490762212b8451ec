"""Run benches: `python -m tests.benchmarks` for all, `python -m tests.benchmarks record read` for these.

Each prints its tables, and writes them as `bench-<name>.md`, all that it found as `.json`, and a picture of it as
`.svg`, where `--out` says. The exit code is 1 where a request was refused or some books do not hold.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks import benches
from tests.benchmarks.bench import Bench, Found, Progress, Size

NAMES = sorted(module.name for module in pkgutil.iter_modules(benches.__path__))

# The tests run benches without it.
CAN_PLOT = importlib.util.find_spec("matplotlib") is not None


class Bar(Progress):
    """A bar for each bench on the error output, with what is being done."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def begin(self, bench: str, total: int) -> None:
        self.end()
        self._bar = tqdm(total=total, desc=bench, unit="step", dynamic_ncols=True)

    def step(self, what: str) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str(what)
        self._bar.update()

    def tell(self, what: str) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str(what)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()


def bench(name: str) -> Bench[Found]:
    """Return the bench of this name."""
    found: Bench[Found] = importlib.import_module(f"{benches.__name__}.{name}").BENCH
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Servers are ended, and what is built is kept.
        signal.signal(number, signal.default_int_handler)
    size = Size(**{field.name: getattr(options, field.name) for field in fields(Size)})
    options.out.mkdir(parents=True, exist_ok=True)
    bar = Bar()
    code = 0
    for name in options.benches or NAMES:
        chosen = bench(name)
        findings = chosen.run(size, options.sides, bar)
        (options.out / f"bench-{name}.json").write_text(findings.to_json(), encoding="utf-8")
        if CAN_PLOT:
            chosen.draw(findings, options.out / f"bench-{name}.svg")
        bar.end()
        told = chosen.render(findings)
        (options.out / f"bench-{name}.md").write_text(told, encoding="utf-8")
        print(told, flush=True)
        code |= not findings.is_well()
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = Size()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Compare with others, in turns.")
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"{', '.join(NAMES)}; all when left out")
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each run")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=default.warm_up_seconds,
        dest="warm_up_seconds",
        metavar="SECONDS",
        help="once for each side",
    )
    parser.add_argument("--rates", type=float, nargs="*", help="of open loops, per second; none leaves them out")
    parser.add_argument("--postings", type=int, default=default.postings, help="of growth: the size to grow to")
    parser.add_argument("--directory", type=Path, default=default.directory, help="of growth: where the ledger is kept")
    parser.add_argument("--minutes", type=float, default=default.minutes, help="of memory: how long it is watched")
    parser.add_argument("--sides", nargs="*", default=(), metavar="SIDE", help="beside the first; all when left out")
    parser.add_argument("--out", type=Path, default=Path("build"), help="the directory for JSON and pictures")
    options = parser.parse_args(arguments)
    _check(parser, "bench", options.benches, NAMES)
    sides = [side.name for name in options.benches or NAMES for side in bench(name).sides]
    _check(parser, "side", options.sides, list(dict.fromkeys(sides)))
    return options


def _check(parser: argparse.ArgumentParser, kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    if unknown := set(given) - set(known):
        parser.error(f"no such {kind}: {', '.join(sorted(unknown))}; there are {', '.join(known)}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
