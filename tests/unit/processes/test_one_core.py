"""A process on one core: which it chooses, and that all its threads are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from myapp.processes import one_core
from myapp.processes.one_core import Moment

ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
needs_two_cores = pytest.mark.skipif(len(ALLOWED) < 2, reason="there is one core here")

CHILD = """
import json, os, sys, threading
from pathlib import Path
from myapp.processes import one_core

def where():
    return sorted({tuple(os.sched_getaffinity(int(each.name))) for each in Path("/proc/self/task").iterdir()})

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
for core in map(int, sys.argv[2:]):
    one_core.stay_on(core)
    told.append(where())
stop.set()
print(json.dumps(told))
"""


def told_by_child(place: int | None, *moves: int, cores: list[int] = ALLOWED) -> list[list[list[int]]]:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(place), *map(str, moves)],
        check=True,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    told: list[list[list[int]]] = json.loads(child.stdout)
    return told


@needs_two_cores
class TestKeep:
    def test_has_all_threads_there_and_those_that_come(self):
        (first, later) = told_by_child(None)

        assert len(first) == 1
        assert len(first[0]) == 1
        assert first[0][0] in ALLOWED
        assert later == first

    def test_spreads_places_over_the_cores(self):
        assert [told_by_child(place)[0] for place in (0, 1)] == [[[ALLOWED[0]]], [[ALLOWED[1]]]]

    def test_begins_again_where_there_are_more_places_than_cores(self):
        assert told_by_child(len(ALLOWED) + 1)[0] == [[ALLOWED[1]]]

    def test_may_move_with_all_threads(self):
        moved = told_by_child(0, ALLOWED[1], ALLOWED[0])

        assert moved[-2:] == [[[ALLOWED[1]]], [[ALLOWED[0]]]]

    def test_stays_within_what_the_process_may_use(self):
        assert told_by_child(0, cores=ALLOWED[1:2])[0] == [[ALLOWED[1]]]


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
