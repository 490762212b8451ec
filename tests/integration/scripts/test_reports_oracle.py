"""Our reports and hledger's of the same books: households as `bean-example` makes them up, imported and exported.

Compared is every account's figure at several times, cut to every depth; the totals of the balance sheet and of income
statements; and all of it valued in dollars by the journal's own prices. hledger rounds only what it shows, so it is
asked for more digits than there are and the rounding is done here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from myapp.api.exchange import names
from myapp.api.exchange.schemas import Format
from myapp.db import scope
from myapp.ledger import model, operations, queries
from tests import hledger
from tests.integration.exchange import books
from tests.integration.scripts.conftest import GENERATE
from tests.integration.scripts.same_books import SameBooks, midnight

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.parametrize(
        ("dialect", "seed"), [("sqlite", 7), ("postgresql", 11), ("sqlite", 23)], indirect=["dialect"], scope="session"
    ),
]

DAYS = [date(2015, 3, 31), date(2015, 12, 31), date(2016, 7, 15)]
PERIODS = [
    (date(2015, 1, 1), date(2016, 1, 1)),
    (date(2015, 6, 10), date(2015, 6, 11)),
    (date(2016, 2, 1), date(2017, 1, 1)),
]
PRICE = re.compile(r"^(?P<day>[0-9-]{10}) price (?P<code>\S+) +(?P<price>[0-9.]+) USD$", re.MULTILINE)
# What the household cannot sell has no price in the journal.
MADE_UP = {"VACHR": "33.3333", "IRAUSD": "0.98765"}
CENT = Decimal("0.01")
# More digits than any of the figures has.
EXACT = ("--value=end,USD", "-c", "1000.000000000000 USD")


@pytest.fixture(scope="session")
def source(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two years of a household."""
    path = tmp_path_factory.mktemp("journals") / f"household-{seed}.beancount"
    span = ["--date-begin", "2015-01-01", "--date-end", "2017-01-01", "--date-birth", "1980-05-12"]
    subprocess.run(
        [sys.executable, "-c", GENERATE, *span, "--seed", str(seed), "-o", str(path)], check=True, capture_output=True
    )
    return path


@pytest.fixture
def household(myapp, source: Path, name: str, sessions, tmp_path: Path) -> SameBooks:
    done = myapp("import", source, "--ledger", name)
    assert done.code == 0, done.err
    written = {(each["day"], each["code"]) for each in PRICE.finditer(source.read_text(encoding="utf-8"))}
    assert len(written) > 400
    now = datetime.now(UTC)
    with scope.session_scope(sessions) as session:
        ledger = queries.get_ledger(session, name)
        wanted = [
            model.NewPrice(currency=code, quote="USD", price=Decimal(price), effective_at=midnight(date(2014, 1, 1)))
            for code, price in MADE_UP.items()
        ]
        operations.record_prices(session, ledger, wanted, now=now)
        accounts = queries.list_accounts(session, ledger, after=None, limit=1000)
        exponents = queries.exponents(session, ledger, {"USD", *MADE_UP, *(code for _, code in written)})
        exponents |= queries.exponents(session, ledger, {code for each in accounts for code in each.balances})
    journal = tmp_path / "household.journal"
    journal.write_bytes(books.exported(sessions, name, Format.HLEDGER))
    assert len(hledger.run(journal, "prices").splitlines()) == len(written) + len(MADE_UP)
    called = names.hledger_accounts([each.path for each in accounts])
    return SameBooks(sessions, name, journal, exponents, called)


def test_figures_are_those_of_hledger(household: SameBooks) -> None:
    """All in one, since making the books takes longest."""
    for day in DAYS:
        until = f"--end={day + timedelta(days=1)}"
        figures = household.at(day)
        assert len(figures) > 40
        assert household.own(figures) == hledger.balances(household.journal, until)
        household.check_sheet(day)
        for depth in (1, 2, 3, 4) if day == DAYS[-1] else ():
            assert household.own(figures, depth) == hledger.balances(household.journal, until, f"--depth={depth}")
            household.check_sheet(day, depth)
        worth = household.own(household.at(day, value="USD"))
        check_worth(worth, hledger.balances(household.journal, until, *EXACT), household.own(figures))
    for since, until in PERIODS:
        period = (f"--begin={since}", f"--end={until}")
        figures = household.between(since, until)
        assert household.own(figures) == hledger.balances(household.journal, *period, "type:RX")
        for depth in (None, 1, 2, 3):
            household.check_income(since, until, depth)
        worth = household.own(household.between(since, until, value="USD"))
        check_worth(worth, hledger.balances(household.journal, *period, "type:RX", *EXACT), household.own(figures))


def check_worth(ours: hledger.Figures, theirs: hledger.Figures, held: hledger.Figures) -> None:
    """Compare values: to the cent where an account has one currency, else within half a cent for each."""
    currencies: dict[str, int] = {}
    for account, _code in held:
        currencies[account] = currencies.get(account, 0) + 1
    assert {account for account, _ in ours} == {
        account for (account, _), worth in theirs.items() if worth.quantize(CENT, ROUND_HALF_EVEN)
    }
    for (account, code), worth in ours.items():
        assert code == "USD"
        if currencies[account] == 1:
            assert worth == theirs[account, code].quantize(CENT, ROUND_HALF_EVEN), account
        else:
            assert abs(worth - theirs[account, code]) <= currencies[account] * CENT / 2, account
