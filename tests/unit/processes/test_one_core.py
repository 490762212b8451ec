"""A process on one core: which it chooses, and that all its threads are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from myapp.processes import one_core
from myapp.processes.one_core import Moment

ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
needs_two_cores = pytest.mark.skipif(len(ALLOWED) < 2, reason="there is one core here")

CHILD = """
import ctypes, json, logging, os, platform, struct, sys, threading
from pathlib import Path
from myapp.processes import one_core

logging.basicConfig(level=logging.INFO)

def where():
    return sorted({tuple(os.sched_getaffinity(int(each.name))) for each in Path("/proc/self/task").iterdir()})

def over():
    for thread in threading.enumerate():
        if thread.name == "one core":
            thread.join(30)

exec(sys.argv[2])
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range(5)]
for each in threads:
    each.start()
told = []
one_core.keep(json.loads(sys.argv[1]))
told.append(where())
later = threading.Thread(target=stop.wait)
later.start()
told.append(where())
exec(sys.argv[3])
stop.set()
print(json.dumps(told))
"""


# Has the system refuse what a filter of systemd's or a container's may refuse: with EPERM.
REFUSING = """
number = {"x86_64": 203, "aarch64": 122}[platform.machine()]
steps = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000))
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0
"""


@dataclass
class Told:
    where: list[list[list[int]]]
    log: str


def told_by_child(place: int | None, *, before: str = "", after: str = "", cores: list[int] = ALLOWED) -> Told:
    """Keep a process with some threads on one core, and return where they then may run, one more, and what was said."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(place), before, after],
        check=True,
        capture_output=True,
        encoding="utf-8",
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return Told(json.loads(child.stdout), child.stderr)


@needs_two_cores
class TestKeep:
    def test_has_all_threads_there_and_those_that_come(self):
        first, later = told_by_child(None).where

        assert len(first) == 1
        assert len(first[0]) == 1
        assert first[0][0] in ALLOWED
        assert later == first

    def test_spreads_places_over_the_cores(self):
        assert {told_by_child(place).where[0][0][0] for place in range(len(ALLOWED))} == set(ALLOWED)

    def test_begins_again_where_there_are_more_places_than_cores(self):
        assert told_by_child(len(ALLOWED) + 1).where == told_by_child(1).where

    def test_stays_within_what_the_process_may_use(self):
        assert told_by_child(0, cores=ALLOWED[1:2]).where[0] == [[ALLOWED[1]]]

    def test_may_move_with_all_threads(self):
        moves = f"for core in {ALLOWED}: one_core.run_on({{core}}); told.append(where())"

        assert told_by_child(0, after=moves).where[2:] == [[[core]] for core in ALLOWED]

    def test_is_no_reason_to_fail_where_it_is_not_allowed(self):
        told = told_by_child(0, before=REFUSING)

        assert told.where[0] == [ALLOWED]
        assert "not kept on one core" in told.log
        assert "Operation not permitted" in told.log

    def test_is_not_done_where_nobody_can_look_after_it(self):
        told = told_by_child(0, before="one_core.STAT = Path('/nowhere')")

        assert told.where[0] == [ALLOWED]
        assert "/nowhere" in told.log

    def test_ends_where_nobody_can_look_any_more(self):
        later = "one_core.STAT = Path('/nowhere'); over(); told.append(where())"
        told = told_by_child(0, before="one_core.LOOK_SECONDS = 0.1", after=later)

        assert told.where[-1] == [ALLOWED]
        assert "no longer" in told.log

    def test_leaves_the_last_word_to_others(self):
        # The main thread alone, as `taskset -p` does it.
        later = f"os.sched_setaffinity(0, {{{min(ALLOWED)}, {max(ALLOWED)}}}); over()"
        told = told_by_child(0, before="one_core.LOOK_SECONDS = 0.1", after=f"{later}; told.append(where())")

        assert [min(ALLOWED), max(ALLOWED)] in told.where[-1]
        assert "was told where to run" in told.log


class TestBetter:
    """Of ten seconds, idle ones by core."""

    @staticmethod
    def chosen(core: int, own: float, **idle: float) -> int:
        by_core = {int(name[4:]): 1000.0 + seconds for name, seconds in idle.items()}
        before = Moment(at=50.0, idle=dict.fromkeys(by_core, 1000.0), own=3.0)
        return one_core.better(core, before, Moment(at=60.0, idle=by_core, own=3.0 + own))

    def test_stays_where_it_is_alone_however_busy(self):
        assert self.chosen(0, own=10.0, core0=0.0, core1=10.0) == 0

    def test_stays_where_nothing_happens(self):
        assert self.chosen(1, own=0.0, core0=10.0, core1=10.0) == 1

    def test_leaves_a_core_that_others_use(self):
        assert self.chosen(0, own=5.0, core0=0.0, core1=10.0) == 1

    def test_chooses_the_one_with_most_left(self):
        assert self.chosen(2, own=2.0, core0=6.0, core1=9.0, core2=0.0, core3=7.0) == 1

    def test_stays_where_others_are_as_busy_everywhere(self):
        assert self.chosen(0, own=5.0, core0=0.0, core1=6.0) == 0


@needs_two_cores
def test_looks_at_the_cores_and_at_itself():
    before = one_core.now(ALLOWED)
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    after = one_core.now(ALLOWED)

    assert set(before.idle) == set(after.idle) == set(ALLOWED)
    assert all(after.idle[core] >= before.idle[core] for core in ALLOWED)
    assert sum(after.idle.values()) - sum(before.idle.values()) <= len(ALLOWED) * (after.at - before.at) + 1
    assert 0.3 <= after.own - before.own < 1
