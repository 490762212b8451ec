"""Our reports and hledger's of the same books: households as `bean-example` makes them up, imported and exported.

Compared is every account's figure at several times, cut to every depth; the totals of the balance sheet and of income
statements; and all of it valued in dollars by the journal's own prices. hledger rounds only what it shows, so it is
asked for more digits than there are and the rounding is done here.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from myapp.api.exchange import names
from myapp.api.exchange.schemas import Format
from myapp.db import scope
from myapp.ledger import model, operations, queries, reports
from tests import hledger
from tests.integration.exchange import books
from tests.integration.scripts.conftest import GENERATE

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

Figures = Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True)
class Household:
    """The same books twice: a ledger, and hledger's journal of it; `called` has hledger's name of each path."""

    sessions: object
    name: str
    journal: Path
    exponents: Mapping[str, int]
    called: Mapping[str, str]

    def at(self, day: date, *, value: str | None = None) -> Sequence[reports.Figure]:
        at = midnight(day + timedelta(days=1)) - timedelta(microseconds=1)
        with scope.session_scope(self.sessions, readonly=True) as session:
            ledger = queries.get_ledger(session, self.name)
            figures = queries.figures_at(session, ledger, at=at, known_at=None)
            return figures if value is None else self.worth(session, ledger, figures, value, at)

    def between(self, since: date, until: date, *, value: str | None = None) -> Sequence[reports.Figure]:
        start, end = midnight(since), midnight(until)
        with scope.session_scope(self.sessions, readonly=True) as session:
            ledger = queries.get_ledger(session, self.name)
            figures = queries.figures_between(session, ledger, effective_from=start, effective_to=end, known_at=None)
            figures = [figure for figure in figures if figure.type in reports.RESULT]
            at = end - timedelta(microseconds=1)
            return figures if value is None else self.worth(session, ledger, figures, value, at)

    def worth(self, session, ledger, figures, value: str, at: datetime) -> Sequence[reports.Figure]:
        return queries.value_figures(
            session, ledger, figures, value, given={}, exponents=self.exponents, at=at, known_at=None
        ).figures

    def own(self, figures: Sequence[reports.Figure], depth: int | None = None) -> dict[tuple[str, str], Decimal]:
        """Return what each path has itself, under hledger's names, where that is not zero."""
        shown = {}
        made = reports.trial_balance(figures, reports.Shape(depth=depth), is_valued=False)
        for node in walk(made.nodes):
            for code, sides in node.own.items():
                name = ":".join(self.called.get(node.path, node.path).split(":")[:depth])
                shown[name, code] = self.amount(sides.towards(model.Side.DEBIT), code)
        return {key: amount for key, amount in shown.items() if amount}

    def totals(self, of: Mapping[str, int]) -> dict[str, Decimal]:
        return {code: self.amount(minor, code) for code, minor in of.items() if minor}

    def amount(self, minor: int, code: str) -> Decimal:
        return Decimal(minor).scaleb(-self.exponents[code])


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def walk(nodes: Sequence[reports.Node]) -> Iterator[reports.Node]:
    for node in nodes:
        yield node
        yield from walk(node.children)


def balances(journal: Path, *arguments: str) -> Figures:
    table = hledger.run(journal, "balance", "--flat", "--no-total", "--layout=bare", "--output-format=csv", *arguments)
    rows = csv.DictReader(io.StringIO(table, newline=""))
    found = {(row["account"], row["commodity"]): Decimal(row["balance"]) for row in rows}
    return {key: balance for key, balance in found.items() if balance}


def sections(journal: Path, report: str, *arguments: str) -> Mapping[str, dict[str, Decimal]]:
    """Return the totals of a compound report by its sections, and "Net:"."""
    table = hledger.run(journal, report, "--layout=bare", "--output-format=csv", *arguments)
    found: dict[str, dict[str, Decimal]] = {}
    section = ""
    for first, commodity, amount, *_ in list(csv.reader(io.StringIO(table, newline="")))[2:]:
        if not commodity:
            section = first
            found[section] = {}
        elif first == "Net:":
            found.setdefault(first, {})[commodity] = Decimal(amount)
        elif first == "total":
            found[section][commodity] = Decimal(amount)
    return {name: {code: each for code, each in of.items() if each} for name, of in found.items()}


def day_after(day: date) -> str:
    return str(day + timedelta(days=1))


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
def household(myapp, source: Path, name: str, sessions, tmp_path: Path) -> Household:
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
    return Household(sessions, name, journal, exponents, called)


def test_figures_are_those_of_hledger(household: Household) -> None:
    """All in one, since making the books takes longest."""
    for day in DAYS:
        until = ("--end", day_after(day))
        figures = household.at(day)
        assert len(figures) > 40
        assert household.own(figures) == balances(household.journal, *until)
        for depth in (1, 2, 3, 4) if day == DAYS[-1] else ():
            assert household.own(figures, depth) == balances(household.journal, *until, f"--depth={depth}")
        sheet = reports.balance_sheet(figures, reports.Shape(), is_valued=False)
        theirs = sections(household.journal, "balancesheetequity", *until)
        assert household.totals(sheet.assets.total) == theirs["Assets"]
        assert household.totals(sheet.liabilities.total) == theirs["Liabilities"]
        assert household.totals(sheet.equity.total) == theirs["Equity"]
        # It leaves earnings out of equity, and shows them as what does not balance.
        assert household.totals(sheet.earnings) == theirs["Net:"]
        worth = household.own(household.at(day, value="USD"))
        check_worth(worth, balances(household.journal, *until, *EXACT), household.own(figures))
    for since, until in PERIODS:
        period = ("--begin", str(since), "--end", str(until))
        figures = household.between(since, until)
        assert household.own(figures) == balances(household.journal, *period, "type:RX")
        statement = reports.income_statement(figures, reports.Shape())
        theirs = sections(household.journal, "incomestatement", *period)
        assert household.totals(statement.income.total) == theirs["Revenues"]
        assert household.totals(statement.expenses.total) == theirs["Expenses"]
        # A period without lines has no net there.
        assert household.totals(statement.net) == theirs.get("Net:", {})
        worth = household.own(household.between(since, until, value="USD"))
        check_worth(worth, balances(household.journal, *period, "type:RX", *EXACT), household.own(figures))


def check_worth(ours: Figures, theirs: Figures, held: Figures) -> None:
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
