"""Journals that hledger's authors wrote, where they can be had: what can be loaded has their balances and statements.

They are not ours to copy. Their directory is named by the variable below: `examples` and `hledger/test` of hledger's
source, for one. Many a journal of theirs lacks something that docs/import.md asks for, so that it is refused as it is;
it is then given that, and loaded.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from myapp.db import scope
from myapp.ledger import queries
from myapp.ledger.model import AccountType
from myapp.scripts import main
from myapp.scripts.importing.plan import TRADING_PREFIX
from tests import hledger
from tests.integration.exchange import books
from tests.integration.scripts import example_journals
from tests.integration.scripts.example_journals import Prepared
from tests.integration.scripts.same_books import SameBooks

VARIABLE = "MYAPP_TEST_HLEDGER_EXAMPLES"
# By hledger's letter.
TYPES = {
    "A": AccountType.ASSET,
    "C": AccountType.ASSET,
    "L": AccountType.LIABILITY,
    "E": AccountType.EQUITY,
    "V": AccountType.EQUITY,
    "R": AccountType.INCOME,
    "X": AccountType.EXPENSE,
}
CONVERSION = "V"
DAY = timedelta(days=1)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no directory of hledger's examples"),
    pytest.mark.parametrize("dialect", ["sqlite"], indirect=True, scope="session"),
]


class Loader:
    """Loads journals into ledgers, each into its own."""

    def __init__(self, myapp, sessions, directory: Path, name: str) -> None:
        self._myapp = myapp
        self._sessions = sessions
        self._directory = directory
        self._name = name
        self._count = 0

    def load(self, journal: Prepared) -> SameBooks | str:
        """Return the journal's books, or why it is refused: in words, or the test fails."""
        self._count += 1
        name = f"{self._name}-{self._count}"
        source = self._directory / f"{name}.json"
        source.write_text(json.dumps(journal.printed), encoding="utf-8")
        done = self._myapp("import", source, "--ledger", name)
        if done.code != 0:
            assert done.code == main.REFUSED, (journal.path, done.err)
            assert done.err.startswith("myapp: "), (journal.path, done.err)
            return done.err.partition("\n")[0]
        with scope.session_scope(self._sessions, readonly=True) as session:
            ledger = queries.get_ledger(session, name)
            accounts = queries.list_accounts(session, ledger, after=None, limit=1000)
            exponents = queries.exponents(session, ledger, {code for each in accounts for code in each.balances})
        typed = example_journals.with_types(journal.path, self._directory)
        letters = hledger.types(typed)
        own = [each for each in accounts if not each.path.startswith(TRADING_PREFIX)]
        assert {each.path: each.type for each in own} == {each.path: TYPES[letters[each.path]] for each in own}
        return SameBooks(
            self._sessions,
            name,
            typed,
            exponents,
            symbols=journal.symbols,
            left_out={each.path for each in accounts if is_left_out(each.path, letters)},
            arguments=journal.arguments,
        )


def is_left_out(path: str, letters: Mapping[str, str]) -> bool:
    """Say whether hledger's statements leave an account out: see Note [What hledger's statements leave out]."""
    if path not in letters or letters[path] == CONVERSION:
        return True
    names = path.split(":")
    line = [letters.get(":".join(names[:depth]), "") for depth in range(1, len(names))]
    own = letters[path]
    others = [place for place, letter in enumerate(line) if letter not in ("", own)]
    return bool(others) and own in line[: others[-1]]


def test_what_can_be_loaded_has_their_statements_and_the_rest_is_refused_in_words(
    myapp, sessions, tmp_path: Path, name, capsys
):
    loader = Loader(myapp, sessions, tmp_path, name)
    tally: Counter[str] = Counter()
    refusals = []
    for path in example_journals.different(Path(os.environ[VARIABLE]), tmp_path):
        tally["journals"] += 1
        journal = example_journals.read(path)
        if journal is None or not journal.printed:
            tally["refused by hledger" if journal is None else "without transactions"] += 1
            continue
        found, how = loader.load(journal), "loaded as they are"
        if isinstance(found, str):
            journal = example_journals.prepare(example_journals.with_types(path, tmp_path))
            if not journal.printed:
                tally["without transactions but for virtual ones"] += 1
                continue
            found, how = loader.load(journal), "loaded when prepared"
        if isinstance(found, str):
            tally["refused by us"] += 1
            refusals.append(f"{path.name}: {found}")
        else:
            tally[how] += 1
            compare(found, journal, tally)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *(f"{count:8} {what}" for what, count in tally.items()), *refusals, ""]))
    assert tally["loaded as they are"] > 0


def compare(same: SameBooks, journal: Prepared, tally: Counter[str]) -> None:
    """Compare the balances, the sheets of three days, and what each two of them have between them."""
    ours = {
        (account, journal.symbols.get(code, code)): amount
        for (account, code), amount in books.balances(same.sessions, same.name).items()
        if not account.startswith(TRADING_PREFIX)
    }
    assert ours == hledger.unstyled_balances(journal.path, *journal.arguments)
    tally["transactions"] += len(journal.printed)
    tally["accounts"] += len({each["paccount"] for each in journal.postings})
    days = comparable(journal, tally)
    for day in days:
        for depth in (None, 1, 2) if day == days[-1] else (None,):
            tally["statements"] += same.check_sheet(day, depth)
    # hledger has transactions without lines, too.
    ends = [min((min(pair) for pair in journal.dates), default=date.max) - DAY, *days]
    for since, until in itertools.combinations(ends, 2):
        for depth in (None, 1, 2) if (since, until) == (ends[0], ends[-1]) else (None,):
            tally["statements"] += same.check_income(since + DAY, until + DAY, depth)


def comparable(journal: Prepared, tally: Counter[str]) -> Sequence[date]:
    """Return the first, the middle and the last day.

    A line of a later or earlier date than its transaction counts on its own in hledger's reports. It has one day in a
    ledger, and the other is noted: so not the days between the two.
    """
    days = sorted({day for pair in journal.dates for day in pair})
    wanted = sorted({days[0], days[len(days) // 2], days[-1]}) if days else []
    straddled = {day for day in wanted if any((one <= day) != (other <= day) for one, other in journal.dates)}
    tally["days that lie between two dates of a line"] += len(straddled)
    return [day for day in wanted if day not in straddled]
