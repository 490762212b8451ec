"""What the columns of a bank's CSV files mean: a small file in TOML, checked before anything is read."""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Callable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from myapp.scripts.bank.statements import Problem, StatementError

# A column by its heading, or by its number from 1.
Column = str | int
ONE_CHARACTER = "one character"
SEPARATORS = (".", ",", " ", "'", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where each part of a line is; `debit` is what went out and `credit` what came in, as banks call it."""

    date: Column
    amount: Column | None = None
    debit: Column | None = None
    credit: Column | None = None
    direction: Column | None = None
    currency: Column | None = None
    balance: Column | None = None
    id: Column | None = None
    text: Sequence[Column] = ()
    counterparty: Column | None = None
    counterparty_account: Column | None = None
    reference: Column | None = None
    end_to_end_id: Column | None = None
    value_date: Column | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How to read a bank's CSV files. `skip` and `skip_end` count lines before the headings and after the last line."""

    columns: Columns
    encoding: str | None = None
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    thousands: str = ""
    date_format: str = "%Y-%m-%d"
    currency: str | None = None
    headings: bool = True
    skip: int = 0
    skip_end: int = 0
    inverted: bool = False
    out: Sequence[str] = ()


def read(path: Path) -> Mapping:
    """Read a mapping.

    Raises:
        StatementError: it cannot be read, or parts of it have no sense; all of them are named.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise StatementError(str(path), [Problem(line=0, text=f"cannot be read: {exc.strerror or exc}")]) from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise StatementError(str(path), [Problem(line=0, text=f"is no TOML: {exc}")]) from exc
    columns = raw.pop("columns", None)
    faults = [*_faults(raw, OPTIONS, ""), *_column_faults(columns)]
    if faults:
        raise StatementError(str(path), [Problem(line=0, text=fault) for fault in faults])
    options: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    return Mapping(columns=_columns(columns), **options)


def _is_character(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_encoding(value: object) -> bool:
    try:
        return isinstance(value, str) and codecs.lookup(value) is not None
    except LookupError:
        return False


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_column(value: object) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return is_number or (isinstance(value, str) and value != "")


def _is_columns(value: object) -> bool:
    return _is_column(value) or (isinstance(value, list) and all(_is_column(each) for each in value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_separator(value: object) -> bool:
    return isinstance(value, str) and value in SEPARATORS


Check = tuple[Callable[[object], bool], str]

OPTIONS: AnyMapping[str, Check] = {
    "encoding": (_is_encoding, "an encoding, such as cp1252"),
    "delimiter": (_is_character, ONE_CHARACTER),
    "quote": (_is_character, ONE_CHARACTER),
    "decimal": (lambda value: value in (".", ","), "a point or a comma"),
    "thousands": (_is_separator, "a point, a comma, a blank, an apostrophe or nothing"),
    "date_format": (_is_text, "a format such as %d.%m.%Y"),
    "currency": (_is_text, "a currency's code"),
    "headings": (_is_flag, "true or false"),
    "skip": (_is_count, "a number of lines"),
    "skip_end": (_is_count, "a number of lines"),
    "inverted": (_is_flag, "true or false"),
    "out": (_is_words, "a list of words"),
}
COLUMNS: AnyMapping[str, Check] = {
    each.name: (_is_columns if each.name == "text" else _is_column, "a heading, or a number from 1")
    for each in fields(Columns)
}


def _faults(raw: AnyMapping[str, Any], known: AnyMapping[str, Check], within: str) -> Sequence[str]:
    faults = [f"{within}{name} is no part of a mapping" for name in raw if name not in known]
    faults += [
        f"{within}{name} is {value!r}, and has to be {known[name][1]}"
        for name, value in raw.items()
        if name in known and not known[name][0](value)
    ]
    if not within and raw.get("decimal", ".") == raw.get("thousands", ""):
        faults.append("decimal and thousands are the same")
    return faults


def _column_faults(columns: object) -> Sequence[str]:
    if not isinstance(columns, dict):
        return ["there is no [columns], which says where the date and the amount are"]
    faults = list(_faults(columns, COLUMNS, "columns."))
    if "date" not in columns:
        faults.append("columns.date is missing")
    has_two = "debit" in columns and "credit" in columns
    if ("amount" in columns) == ("debit" in columns or "credit" in columns) or not ("amount" in columns or has_two):
        faults.append("columns has to have either amount, or debit and credit")
    if "direction" in columns and "amount" not in columns:
        faults.append("columns.direction goes with columns.amount")
    return faults


def _columns(raw: AnyMapping[str, Any]) -> Columns:
    text = raw.get("text", [])
    return Columns(**{**raw, "text": tuple(text) if isinstance(text, list) else (text,)})
