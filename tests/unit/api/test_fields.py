"""The kinds of values that cross the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import hypothesis
import pytest
from hypothesis import strategies as st

from myapp.api import fields

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30), timezones=OFFSETS)  # noqa: DTZ001


class TestInstant:
    @hypothesis.given(TIMES)
    def test_is_the_time_that_was_written(self, time: datetime) -> None:
        assert fields.Instant.parse(time.isoformat()).at == time

    @hypothesis.given(TIMES)
    def test_is_in_utc(self, time: datetime) -> None:
        assert fields.Instant.parse(time.isoformat()).at.tzinfo is UTC

    @hypothesis.given(st.dates(datetime(1000, 1, 1).date(), datetime(9998, 12, 31).date()))  # noqa: DTZ001
    def test_of_a_date_is_its_first(self, date: object) -> None:
        assert fields.Instant.parse(str(date)).at.isoformat() == f"{date}T00:00:00+00:00"

    @pytest.mark.parametrize("text", ["2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123456789Z"])
    def test_is_cut_to_microseconds(self, text: str) -> None:
        assert fields.Instant.parse(text).at.microsecond == 123456

    @hypothesis.given(st.text())
    def test_is_never_guessed(self, text: str) -> None:
        with pytest.raises(ValueError, match="2026-01-31T12:00:00Z"):
            fields.Instant.parse(text)

    @pytest.mark.parametrize("text", ["1000-01-01T00:00:00+00:01", "9998-12-31T23:59:59-00:01"])
    def test_is_in_range_once_it_is_in_utc(self, text: str) -> None:
        with pytest.raises(ValueError, match="from the year"):
            fields.Instant.parse(text)


class TestUntil:
    @hypothesis.given(TIMES)
    def test_is_the_time_that_was_written(self, time: datetime) -> None:
        assert fields.Until.parse(time.isoformat()).at == time

    @hypothesis.given(st.dates(datetime(1000, 1, 1).date(), datetime(9998, 12, 31).date()))  # noqa: DTZ001
    def test_of_a_date_is_its_last(self, date: object) -> None:
        assert fields.Until.parse(str(date)).at.isoformat() == f"{date}T23:59:59.999999+00:00"

    def test_says_so(self) -> None:
        with pytest.raises(ValueError, match="its last instant"):
            fields.Until.parse("today")


class TestPatterns:
    @pytest.mark.parametrize("pattern", fields.ADVICE)
    def test_end_where_the_text_ends(self, pattern: str) -> None:
        assert pattern.startswith("^")
        assert pattern.endswith(r"\Z")

    @pytest.mark.parametrize("pattern", [fields.PATH, fields.PREFIX])
    def test_take_no_time_to_refuse(self, pattern: str) -> None:
        # A pattern that tries every way to split this would not end today.
        assert re.match(pattern, "a" * 100_000 + "\n") is None
        assert re.match(pattern, "a:" * 50_000 + "/") is None
        assert re.match(pattern, "a b " * 30_000 + "!") is None
