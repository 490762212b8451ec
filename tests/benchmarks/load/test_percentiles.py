"""Percentiles are values that were measured."""

from __future__ import annotations

import pytest

from tests.benchmarks.load import percentiles


class TestPercentile:
    @pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)])
    def test_is_the_least_value_that_so_many_do_not_exceed(self, share: float, expected: int):
        assert percentiles.percentile(list(range(1, 101)), share) == expected

    def test_of_one_value_is_that_value(self):
        assert {percentiles.percentile([7.0], share) for share in (0.0, 0.5, 0.99, 1.0)} == {7.0}


class TestSummary:
    def test_sorts_by_itself(self):
        assert percentiles.summary([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": 3.0, "p99": 3.0, "max": 3.0}

    def test_of_nothing_is_empty(self):
        assert percentiles.summary([]) == {}
