"""A real hledger, asked what it makes of a journal."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("hledger")

# What each account has, by its name and the commodity.
Figures = Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True)
class Section:
    """A part of a statement, as it is shown: without zeros, and in the direction of its type."""

    rows: Figures
    total: Mapping[str, Decimal]


@dataclass(frozen=True)
class Statement:
    """A balance sheet or an income statement; `net` is what its sections come to."""

    sections: Mapping[str, Section]
    net: Mapping[str, Decimal]


def run(path: Path, *arguments: str) -> str:
    """Return what it says about a journal; a complaint fails the test."""
    done = _call(path, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(path: Path, *arguments: str) -> str | None:
    """Return what it says about a journal, or None where it refuses it."""
    done = _call(path, *arguments)
    return done.stdout if done.returncode == 0 else None


def balances(path: Path, *arguments: str) -> dict[tuple[str, str], Decimal]:
    """Return what is in each account itself, by its name and the commodity, where that is not zero.

    As CSV, in the journal's own style: as JSON it rounds to ten decimal places.
    """
    table = run(path, "balance", "--flat", "--no-total", "--layout=bare", "--output-format=csv", *arguments)
    rows = csv.DictReader(io.StringIO(table, newline=""))
    found = {(row["account"], row["commodity"]): Decimal(row["balance"]) for row in rows}
    return {key: balance for key, balance in found.items() if balance}


def unstyled_balances(path: Path, *arguments: str) -> dict[tuple[str, str], Decimal]:
    """Return the same with the digits that there are, ten decimal places at most."""
    rows, _total = json.loads(run(path, "balance", "--flat", "--output-format=json", *arguments))
    return {(name, code): number for name, _, _, found in rows for code, number in _amounts(found).items()}


def statement(path: Path, report: str, *arguments: str) -> Statement:
    """Return a statement of one column, unstyled."""
    found = json.loads(run(path, report, "--output-format=json", *arguments))
    return Statement(
        sections={title: _section(each) for title, each, _ in found["cbrSubreports"]},
        net=_amounts(found["cbrTotals"]["prrTotal"]),
    )


def types(path: Path) -> dict[str, str]:
    """Return the letter of each account's type, and nothing for one that has none."""
    lines = run(path, "accounts", "--types").splitlines()
    # Names have no two spaces in them; what is behind them is a comment.
    split = [line.partition("; type:") for line in lines]
    return {name.strip(): letter.strip() for name, _, letter in split}


def _section(report: Any) -> Section:
    rows = {
        (row["prrName"], code): number for row in report["prRows"] for code, number in _amounts(row["prrTotal"]).items()
    }
    return Section(rows=rows, total=_amounts(report["prTotals"]["prrTotal"]))


def _amounts(found: Iterable[Any]) -> dict[str, Decimal]:
    """Return what amounts come to by commodity: there may be several of one, at several costs."""
    sums: dict[str, Decimal] = {}
    for amount in found:
        quantity, code = amount["aquantity"], amount["acommodity"]
        number = Decimal(quantity["decimalMantissa"]).scaleb(-quantity["decimalPlaces"])
        sums[code] = sums.get(code, Decimal()) + number
    return {code: number for code, number in sums.items() if number}


def _call(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert PROGRAM is not None, "the test lacks the marker oracle"
    return subprocess.run(
        [PROGRAM, "-f", str(path), *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={"LANG": "C.UTF-8"},
    )
