"""Keep a process on one core, of those that it may run on the one that others leave to it most.

Python runs one of its threads at a time. Spread over cores, they hand the interpreter from one core to another several
times a request: the next one is to be awakened there, and finds nothing of what it needs in that core's memory. On one
core it just goes on. See docs/decisions/0032-one-core-for-each-process.md.

The choice is looked at again and again, since others that stay where they are (a process of this kind, say) may have
chosen the same; what the kernel may move it moves away by itself. It is a favour to the process, and no reason to fail:
where it cannot be done, the process runs where the kernel puts it.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

STAT = Path("/proc/stat")
OWN_STAT = Path("/proc/self/stat")
THREADS = Path("/proc/self/task")
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
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

    Threads are kept that are there, and what they start. Does nothing where the system is not Linux.
    """
    if sys.platform != "linux":
        return
    allowed = sorted(os.sched_getaffinity(0), key=_turn)
    if len(allowed) == 1:
        return
    try:
        before = now(allowed)
        core = _current() if place is None else allowed[place % len(allowed)]
        run_on({core})
    except (OSError, ValueError, IndexError) as exc:
        log.warning("This process is not kept on one core, since that cannot be had here: %s", exc)
        return
    watching = threading.Thread(target=_look_after, args=[core, allowed, before], name="one core", daemon=True)
    watching.start()


def run_on(cores: Collection[int]) -> None:
    """Have every thread of this process run on these cores."""
    done: set[int] = set()
    # One that was just started by a thread that was not moved yet is found the next time.
    while threads := _threads() - done:
        for thread in threads:
            try:
                os.sched_setaffinity(thread, cores)
            except ProcessLookupError:
                log.debug("Thread %d has ended", thread)
        done |= threads
    log.info("This process runs on core %s", " or ".join(map(str, sorted(cores))))


def better(core: int, before: Moment, after: Moment) -> int:
    """Return the core that has more time for this process than its own, or its own."""
    seconds = after.at - before.at
    left = {each: (after.idle[each] - before.idle[each]) / seconds for each in before.idle.keys() & after.idle.keys()}
    left[core] = left.get(core, 0.0) + (after.own - before.own) / seconds
    best = max(left, key=left.__getitem__)
    return best if left[best] > left[core] + GAIN else core


def now(allowed: Collection[int]) -> Moment:
    """Look at the cores, and at this process."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    idle = {}
    for line in STAT.read_text(encoding="ascii").splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in allowed:
            idle[int(name[3:])] = (int(numbers[_IDLE]) + int(numbers[_IOWAIT])) * tick
    return Moment(time.monotonic(), idle, time.process_time())


def _look_after(core: int, allowed: Collection[int], before: Moment) -> None:
    """Move where there is more time, to the end of the process, or until others have a say in where it may run."""
    try:
        while True:
            time.sleep(LOOK_SECONDS)
            after = now(allowed)
            chosen = better(core, before, after)
            if _cores() != {core}:
                log.info("This process was told where to run, and is kept on its core no longer")
                return
            if chosen != core and random.random() < CHANCE:  # noqa: S311 - no secret
                run_on({chosen})
                core = chosen
            before = after
    except (OSError, ValueError, IndexError) as exc:
        log.warning("This process is kept on one core no longer, since that cannot be had any more: %s", exc)
        run_on(allowed)


def _threads() -> set[int]:
    return {int(each.name) for each in THREADS.iterdir()}


def _cores() -> set[int]:
    """Return on which cores any of the threads may run."""
    cores: set[int] = set()
    for thread in _threads():
        try:
            cores |= os.sched_getaffinity(thread)
        except ProcessLookupError:
            log.debug("Thread %d has ended", thread)
    return cores


def _current() -> int:
    return int(OWN_STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[_PROCESSOR])


def _turn(core: int) -> tuple[bool, int]:
    """Return what sorts cores so that two halves of one are not taken while a whole one is free."""
    try:
        first, *_others = Path(SIBLINGS.format(core)).read_text(encoding="ascii").replace("-", ",").split(",")
        return int(first) != core, core
    except (OSError, ValueError):
        return False, core
