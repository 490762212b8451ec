from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.api.reports import csv_text


class TestEncode:
    def test_is_rfc_4180(self) -> None:
        text = csv_text.encode([("path", "own"), ('a "b", c', "-1.00"), ("two\nlines", "é")])

        assert text == 'path,own\r\n"a ""b"", c",-1.00\r\n"two\nlines",é\r\n'.encode()

    @given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
    def test_reads_back_as_it_was(self, rows: list[list[str]]) -> None:
        read = list(csv.reader(io.StringIO(csv_text.encode(rows).decode(), newline="")))

        assert read == rows


class TestFree:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "\n=1", "\uff1d1"])
    def test_guards_what_a_spreadsheet_would_run(self, text: str) -> None:
        assert csv_text.free(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["", "assets:cash", "a=b", "'quoted", "1-2"])
    def test_leaves_the_rest_alone(self, text: str) -> None:
        assert csv_text.free(text) == text
