"""One value, one text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger.sealing import canonical

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class TestText:
    def test_has_no_spaces_and_sorted_members(self) -> None:
        assert canonical.text({"b": [1, None, True], "a": {"z": "\n", "é": '"'}}) == (
            '{"a":{"z":"\\n","é":"\\""},"b":[1,null,true]}'
        )

    def test_sorts_by_utf_16_as_rfc_8785_does(self) -> None:
        """The example of section 3.2.3, in which the order by code point would be another."""
        names = ["€", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "ö"]

        listed = list(json.loads(canonical.text(dict.fromkeys(names, 0))))

        assert listed == ["\r", "1", "\u0080", "ö", "€", "\U0001f600", "\ufb33"]

    @given(values)
    def test_says_what_was_said(self, value: canonical.Value) -> None:
        assert json.loads(canonical.text(value)) == value

    @given(st.dictionaries(st.text(), st.integers(0, 9), max_size=5), st.randoms())
    def test_knows_no_order(self, value: dict[str, int], random) -> None:
        shuffled = list(value.items())
        random.shuffle(shuffled)

        assert canonical.text(dict(shuffled)) == canonical.text(value)


class TestTime:
    def test_is_in_utc_to_the_microsecond(self) -> None:
        eastern = timezone(timedelta(hours=-5))

        assert canonical.time(datetime(2026, 1, 31, 7, tzinfo=eastern)) == "2026-01-31T12:00:00.000000Z"
        assert canonical.time(datetime(2026, 1, 31, 12, 0, 0, 7, tzinfo=UTC)) == "2026-01-31T12:00:00.000007Z"
        assert canonical.time(None) is None
