"""Cursors and entity tags: small texts that clients pass back."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies as st

from myapp.api import cursors, errors, etags, fields
from myapp.ledger import errors as ledger_errors

CURSORS = [
    cursors.LedgerCursor("shop"),
    cursors.CurrencyCursor("USD"),
    cursors.AccountCursor("aktiva:Müller's Kasse"),
    cursors.TransactionCursor(UUID("01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31")),
    cursors.StatementCursor(fields.Instant(datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)), 7, "USD"),
]


class TestCursors:
    @pytest.mark.parametrize("cursor", CURSORS)
    def test_come_back_as_they_went(self, cursor: cursors.Cursor) -> None:
        came_back = cursors.decode(cursors.encode(cursor), type(cursor))

        assert cursors.encode(came_back) == cursors.encode(cursor)

    @pytest.mark.parametrize("cursor", CURSORS)
    def test_are_of_one_list(self, cursor: cursors.Cursor) -> None:
        for other in CURSORS:
            if other is not cursor:
                with pytest.raises(errors.BadParameter):
                    cursors.decode(cursors.encode(cursor), type(other))

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0999-12-31T23:59:59Z"])
    def test_hold_no_time_that_the_api_never_takes(self, at: str) -> None:
        cursor = cursors.StatementCursor(fields.Instant(datetime.fromisoformat(at)), 7, "USD")

        with pytest.raises(errors.BadParameter):
            cursors.decode(cursors.encode(cursor), cursors.StatementCursor)

    @hypothesis.given(st.text() | st.text("abcABC019-_="), st.sampled_from([type(each) for each in CURSORS]))
    def test_are_not_made_up(self, text: str, kind: type[cursors.Cursor]) -> None:
        with pytest.raises(errors.BadParameter):
            cursors.decode(text, kind)


class TestEntityTags:
    def test_name_their_version(self) -> None:
        assert etags.expected_version(etags.make(7, b"body")) == 7

    @pytest.mark.parametrize(
        ("if_match", "version"),
        [(None, None), ("*", None), ('"3-00000000"', 3), ('"x", "3-00000000" , "2-0a0b0c0d"', 3)],
    )
    def test_allow_the_newest_of_several(self, if_match: str | None, version: int | None) -> None:
        assert etags.expected_version(if_match) == version

    @pytest.mark.parametrize(
        "if_match", ["", "3", '"3"', 'W/"3-00000000"', '"-1-00000000"', '"' + "9" * 19 + '-00000000"']
    )
    def test_of_no_version_allow_none(self, if_match: str) -> None:
        with pytest.raises(ledger_errors.PreconditionFailed):
            etags.expected_version(if_match)

    @pytest.mark.parametrize(
        ("if_none_match", "is_unchanged"),
        [
            (None, False),
            ("*", True),
            ('"1-0000000a"', True),
            ('W/"1-0000000a"', True),
            ('"x","1-0000000a"', True),
            ('"x"', False),
        ],
    )
    def test_are_compared_whole_to_save_an_answer(self, if_none_match: str | None, is_unchanged: bool) -> None:
        assert etags.is_unchanged(if_none_match, '"1-0000000a"') is is_unchanged
