"""Growth is that of the line behind the warm-up, for each thousand requests; what is not well is told."""

from __future__ import annotations

import dataclasses
import os
import time

import pytest

from tests.benchmarks import memory
from tests.benchmarks.memory import MemoryFindings, Reading


def reading(seconds: float, kib: float, pid: int = 1) -> Reading:
    return Reading(seconds=seconds, pid=pid, rss_kib=kib, uss_kib=kib / 2)


FOUND = MemoryFindings(
    bench="memory",
    title="Memory",
    machine={},
    seconds=100.0,
    requests=10_000,
    refused=0,
    first_refusal=None,
    violations=[],
    at_rest=[reading(0, 51_200)],
    # A leap at the beginning, which is the warm-up's, and 2 KiB a second from then on.
    under_load=[
        reading(0, 51_200),
        reading(10, 102_400),
        *(reading(at, 102_400 + 2 * at) for at in range(20, 101, 10)),
    ],
)


class TestGrowth:
    def test_is_told_by_requests_and_leaves_the_warm_up_out(self):
        # 200 KiB in 100 seconds and 10,000 requests.
        assert FOUND.grown_kib(1, lambda each: each.rss_kib) == pytest.approx(20.0)
        assert FOUND.grown_kib(1, lambda each: each.uss_kib) == pytest.approx(10.0)

    def test_is_none_where_too_little_was_seen(self):
        assert (
            dataclasses.replace(FOUND, under_load=FOUND.under_load[:3]).grown_kib(1, lambda each: each.rss_kib) is None
        )
        assert dataclasses.replace(FOUND, requests=0).grown_kib(1, lambda each: each.rss_kib) is None


class TestFindings:
    def test_survive_json(self):
        assert MemoryFindings.from_json(FOUND.to_json()) == FOUND

    def test_tell_what_was_held_and_what_is_not_well(self):
        assert "| 1 | 50.0 | 25.0 | 100.2 | 50.1 | +20.0 | +10.0 |" in memory.render(FOUND)
        refusing = dataclasses.replace(FOUND, refused=3, first_refusal="said no", violations=["balances: 1 differ"])

        assert FOUND.is_well()
        assert not refusing.is_well()
        assert "- balances: 1 differ\n- said no" in memory.render(refusing)
        assert "3 got no 2xx" in memory.render(refusing)


class TestWatched:
    def test_sees_each_process_again_and_again_and_leaves_out_one_that_has_ended(self):
        with memory.watched([os.getpid(), 2**22 + 1], 0.01) as seen:
            deadline = time.monotonic() + 30
            while len(seen) <= 2 and time.monotonic() < deadline:
                time.sleep(0.01)

        assert len(seen) > 2
        assert {each.pid for each in seen} == {os.getpid()}
        assert all(0 < each.uss_kib <= each.rss_kib for each in seen)
