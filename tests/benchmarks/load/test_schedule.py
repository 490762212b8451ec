"""The schedule of an open loop depends on the clock alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.load import schedule

rates = st.floats(min_value=0.5, max_value=20_000)
numbers = st.integers(min_value=0, max_value=100_000)


class TestDue:
    def test_spreads_the_requests_evenly(self):
        assert [schedule.due(number, 4.0) for number in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


class TestDueUntil:
    def test_counts_none_before_the_beginning_and_the_first_at_it(self):
        assert schedule.due_until(-0.001, 10.0, 100) == 0
        assert schedule.due_until(0.0, 10.0, 100) == 1

    def test_counts_no_more_than_there_are(self):
        assert schedule.due_until(1000.0, 10.0, 100) == 100

    @given(number=numbers, rate=rates)
    def test_agrees_with_when_each_is_due(self, number: int, rate: float):
        total = number + 10
        just_before, at = schedule.due(number - 0.01, rate), schedule.due(number, rate)

        assert schedule.due_until(at, rate, total) == number + 1
        assert schedule.due_until(just_before, rate, total) == number


class TestCount:
    def test_is_of_those_that_fall_due(self):
        assert schedule.count(100.0, 2.5) == 250

    def test_is_one_at_least(self):
        assert schedule.count(0.1, 1.0) == 1
