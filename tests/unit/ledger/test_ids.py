from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import ids

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


class TestNewIds:
    @given(moments)
    def test_are_version_7_of_their_millisecond(self, now: datetime) -> None:
        made = ids.new_id(now)

        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert made.int >> 80 == (now - ids.EPOCH) // timedelta(milliseconds=1)

    def test_sort_in_their_order(self) -> None:
        made = ids.new_ids(datetime(2026, 11, 23, tzinfo=UTC), 10_000)

        assert list(made) == sorted(made)
        assert len(set(made)) == 10_000

    @given(moments, st.integers(1, 10**9))
    def test_sort_by_the_microsecond_they_were_made_in(self, now: datetime, later: int) -> None:
        assert ids.new_ids(now, 50)[-1] < ids.new_id(now + timedelta(microseconds=later))

    def test_made_at_the_same_time_differ(self) -> None:
        now = datetime(2026, 11, 23, tzinfo=UTC)

        assert len({ids.new_id(now) for _ in range(1_000)}) == 1_000

    def test_refuse_more_than_the_counter_holds(self) -> None:
        with pytest.raises(ValueError, match="do not fit"):
            ids.new_ids(datetime(2026, 11, 23, tzinfo=UTC), 2**20)
