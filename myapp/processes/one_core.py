"""Keep a process on one core, of those that it may run on the one that others leave to it most.

Python runs one of its threads at a time. Spread over cores, they hand the interpreter from one core to another several
times a request: the next one is to be awakened there, and finds nothing of what it needs in that core's memory. On one
core it just goes on. See docs/decisions/0032-one-core-for-each-process.md.

The choice is looked at again and again, since others that stay where they are (a process of this kind, say) may have
chosen the same; what the kernel may move it moves away by itself. Seconds of a core are those of `/proc/stat`.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

STAT = Path("/proc/stat")
OWN_STAT = Path("/proc/self/stat")
THREADS = Path("/proc/self/task")
LOOK_SECONDS = 5.0
# How much of a core's time must be left there beyond what is left here, for a move to be worth it.
GAIN = 0.25
# Of two that chose the same core, and see the same, one should stay.
CHANCE = 0.5

_IDLE, _IOWAIT = 3, 4
# The core that a process ran on last, in the fields behind its name.
_PROCESSOR = 36


class Moment(NamedTuple):
    """Seconds until now: of each core those in which it had nothing to do, and those that this process used."""

    at: float
    idle: Mapping[int, float]
    own: float


def keep(place: int | None) -> None:
    """Keep this process on one core from now on, if it may run on several; others at other `place`s start elsewhere.

    Threads are kept that are there, and those that they start. Does nothing where the system is not Linux.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        return
    core = _current() if place is None else allowed[place % len(allowed)]
    stay_on(core)
    threading.Thread(target=_look_after, args=[core, allowed], name="one core", daemon=True).start()


def stay_on(core: int) -> None:
    """Have every thread of this process run on that core."""
    kept: set[str] = set()
    # One that was just started by a thread that was not moved yet is found the next time.
    while threads := {each.name for each in THREADS.iterdir()} - kept:
        for thread in threads:
            try:
                os.sched_setaffinity(int(thread), {core})
            except ProcessLookupError:
                log.debug("Thread %s has ended", thread)
        kept |= threads
    log.info("This process runs on core %d", core)


def better(core: int, before: Moment, after: Moment) -> int:
    """Return the core that has more time for this process than its own, or its own."""
    seconds = after.at - before.at
    left = {each: (after.idle[each] - before.idle[each]) / seconds for each in before.idle}
    left[core] += (after.own - before.own) / seconds
    best = max(left, key=left.__getitem__)
    return best if left[best] > left[core] + GAIN else core


def now(allowed: Iterable[int]) -> Moment:
    """Look at the cores, and at this process."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    idle = {}
    for line in STAT.read_text(encoding="ascii").splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in allowed:
            idle[int(name[3:])] = (int(numbers[_IDLE]) + int(numbers[_IOWAIT])) * tick
    return Moment(time.monotonic(), idle, time.process_time())


def _look_after(core: int, allowed: Iterable[int]) -> None:
    """Move where there is more time, to the end of the process, or until others have a say in where it may run."""
    before = now(allowed)
    while core in before.idle and os.sched_getaffinity(0) == {core}:
        time.sleep(LOOK_SECONDS)
        after = now(allowed)
        chosen = better(core, before, after)
        if chosen != core and random.random() < CHANCE:  # noqa: S311 - no secret
            core = chosen
            stay_on(core)
        before = after


def _current() -> int:
    return int(OWN_STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[_PROCESSOR])
