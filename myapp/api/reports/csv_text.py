"""Rows as CSV (RFC 4180): commas, CRLF, quotes where they are needed; in UTF-8, with a row of names first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

Row = Sequence[str]

# A spreadsheet takes a cell that begins so for a formula, also after blanks; the wide forms too in some languages.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
GUARD = "'"


def encode(rows: Iterable[Row]) -> bytes:
    """Return the rows as text."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def free(text: str | None) -> str:
    """Return text that somebody made up as a cell that no spreadsheet runs: with an apostrophe before it if need be."""
    if text is None:
        return ""
    is_formula = text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS)
    return GUARD + text if is_formula else text
