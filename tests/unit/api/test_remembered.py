"""What a process remembers: for so long, so much of it, and only what there is."""

from __future__ import annotations

import time

import pytest

from myapp.api.remembered import Remembered


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the moment it is, to be changed."""
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


class TestFind:
    def test_reads_once_and_again_when_the_time_is_over(self, now: list[float]) -> None:
        known, read = Remembered[str, int](seconds_max=2, entries_max=9), iter(range(9))
        assert known.find("a", lambda: next(read)) == 0
        now[0] += 1.9
        assert known.find("a", lambda: next(read)) == 0
        now[0] += 0.2
        assert known.find("a", lambda: next(read)) == 1

    def test_counts_from_before_it_was_read(self, now: list[float]) -> None:
        def read_slowly() -> int:
            now[0] += 5
            return 1

        known = Remembered[str, int](seconds_max=2, entries_max=9)
        assert known.find("a", read_slowly) == 1
        assert known.get("a") is None

    def test_remembers_nothing_that_is_not_there(self, now: list[float]) -> None:
        known = Remembered[str, int](seconds_max=2, entries_max=9)
        assert known.find("a", lambda: None) is None
        assert known.find("a", lambda: 7) == 7

    def test_remembers_nothing_for_no_time(self, now: list[float]) -> None:
        known = Remembered[str, int](seconds_max=0, entries_max=9)
        assert [known.find("a", lambda each=each: each) for each in (1, 2)] == [1, 2]

    def test_forgets_what_it_learned_longest_ago(self, now: list[float]) -> None:
        known = Remembered[str, int](seconds_max=2, entries_max=2)
        for key in ("a", "b", "a", "c"):
            known.learn(key, 1, read_at=now[0])
        assert [known.get(key) for key in ("a", "b", "c")] == [1, None, 1]
