"""Whole days and rests: each time is in exactly one of them, or in none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger.queries import spans

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
moments = st.builds(
    lambda day, shift: MIDNIGHT + timedelta(days=day) + shift,
    st.integers(-2, 2),
    st.sampled_from([timedelta(microseconds=-1), timedelta(), timedelta(microseconds=1), timedelta(hours=7)]),
)


@given(since=st.none() | moments, until=st.none() | moments, asked=moments)
def test_a_time_is_in_one_part_if_it_is_in_the_span(
    since: datetime | None, until: datetime | None, asked: datetime
) -> None:
    span = spans.Span(since=since, until=until)
    day = asked.date()
    in_whole_days = (
        span.has_whole_days
        and (span.first_day is None or span.first_day <= day)
        and (span.end_day is None or day < span.end_day)
    )

    parts = in_whole_days + sum(rest.since <= asked < rest.until for rest in span.rests)

    assert parts == ((since is None or since <= asked) and (until is None or asked < until))


def test_up_to_the_end_of_a_day_is_whole_days() -> None:
    assert list(spans.up_to(MIDNIGHT + timedelta(days=1) - spans.TICK).rests) == []


@pytest.mark.parametrize("hour", [0, 12])
def test_up_to_a_time_within_a_day_has_a_rest(hour: int) -> None:
    at = MIDNIGHT + timedelta(hours=hour)

    assert list(spans.up_to(at).rests) == [spans.Stretch(MIDNIGHT, at + spans.TICK)]
