"""Journals that hledger's authors wrote, where they can be had: what can be loaded has hledger's balances.

They are not ours to copy. Their directory is named by the variable below: `examples` of hledger's source, for one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from myapp.scripts import main
from myapp.scripts.importing.plan import TRADING_PREFIX
from tests import hledger
from tests.integration.exchange import books

VARIABLE = "MYAPP_TEST_HLEDGER_EXAMPLES"
SUFFIXES = (".journal", ".j", ".hledger", ".ledger", ".dat")

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no directory of hledger's examples"),
    pytest.mark.parametrize("dialect", ["sqlite"], indirect=True, scope="session"),
]


def asked(path: Path, *arguments: str) -> str | None:
    """Return what hledger says about a journal, or None where it refuses it."""
    done = subprocess.run(
        [str(hledger.PROGRAM), "-f", str(path), *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={"LANG": "C.UTF-8"},
    )
    return done.stdout if done.returncode == 0 else None


def balances(path: Path) -> dict[tuple[str, str], Decimal]:
    """Return hledger's balances by account and commodity, from its JSON: as CSV they are in the journal's own style."""
    rows, _total = json.loads(asked(path, "balance", "--flat", "--output-format=json") or "", parse_float=Decimal)
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, _, _, amounts in rows:
        for amount in amounts:
            quantity = amount["aquantity"]
            number = Decimal(quantity["decimalMantissa"]).scaleb(-quantity["decimalPlaces"])
            found[account, amount["acommodity"]] += number
    return {key: number for key, number in found.items() if number}


def test_what_can_be_loaded_has_their_balances_and_the_rest_is_refused_in_words(myapp, sessions, tmp_path: Path, name):
    loaded = refused = 0
    for path in sorted(each for each in Path(os.environ[VARIABLE]).rglob("*") if each.suffix in SUFFIXES):
        printed = asked(path, "print", "--output-format=json")
        if printed is None or not printed.strip("[]\n "):
            continue
        source = tmp_path / f"{loaded + refused}.json"
        source.write_text(printed, encoding="utf-8")
        done = myapp("import", source, "--ledger", f"{name}-{loaded + refused}")
        if done.code != 0:
            assert done.code == main.REFUSED, (path, done.err)
            assert done.err.startswith("myapp: "), (path, done.err)
            refused += 1
            continue
        ours = {
            key: amount
            for key, amount in books.balances(sessions, f"{name}-{loaded + refused}").items()
            if not key[0].startswith(TRADING_PREFIX)
        }
        assert ours == balances(path), path
        loaded += 1
    assert loaded > 0
