"""A real hledger, asked what it makes of a journal."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

PROGRAM = shutil.which("hledger")


def run(path: Path, *arguments: str) -> str:
    """Return what it says about a journal; a complaint fails the test."""
    assert PROGRAM is not None, "the test lacks the marker oracle"
    done = subprocess.run(
        [PROGRAM, "-f", str(path), *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={"LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def balances(path: Path) -> dict[tuple[str, str], Decimal]:
    """Return what is in each account itself, by its name and the commodity, where that is not zero.

    As CSV: as JSON it rounds to ten decimal places.
    """
    table = run(path, "balance", "--flat", "--no-total", "--layout=bare", "--output-format=csv")
    rows = csv.DictReader(io.StringIO(table, newline=""))
    found = {(row["account"], row["commodity"]): Decimal(row["balance"]) for row in rows}
    return {key: balance for key, balance in found.items() if balance}
