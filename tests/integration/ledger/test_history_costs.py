"""What a balance at a time costs: its months, the days to the end of one, and the postings to the end of a day.

The cost is counted, not timed: rows read by each table's scans on PostgreSQL, steps of the virtual machine on SQLite.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import operations, queries
from myapp.ledger.model import Ledger
from tests.integration.ledger import bulk
from tests.integration.ledger.bulk import FIRST_DAY

pytestmark = pytest.mark.long

DAYS = 100
LINES_SHORT = 80
LINES_LONG = 2_000
DAY_END = FIRST_DAY + timedelta(days=90, microseconds=-1)
NOON = FIRST_DAY + timedelta(days=90, hours=12)
# Of a history of months and of one of years: how many days, and lines on each.
OF_MONTHS, OF_YEARS, LINES_FEW = 70, 3_700, 8
MONTHS = 123
DAYS_OF_MONTH = 31
STEPS_COUNTED = 10
PAGE = 50
LAYING_SECONDS = 300
# What SQLite does for a row of the sums, at most.
STEPS_PER_ROW = 100 / STEPS_COUNTED

ROWS_READ = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")

Read = Callable[[Session], object]


@dataclass(frozen=True)
class Book:
    """A ledger with a history, and the account that has half of it."""

    ledger: Ledger
    busy: UUID


@pytest.fixture
def sessions(dialect: str, fresh_database_url: Callable[[str], str]) -> Iterator[sessionmaker[Session]]:
    engine = engines.build(settings.Database(url=fresh_database_url(dialect)))
    yield factory.build(engine)
    engine.dispose()


def book(sessions: sessionmaker[Session], *, lines: int, days: int = DAYS) -> Book:
    with scope.session_scope(sessions, timeout_seconds=LAYING_SECONDS) as session:
        ledger = operations.create_ledger(session, f"{lines}-on-{days}", metadata={}, now=FIRST_DAY)
        return Book(ledger, bulk.lay(session, ledger, days=days, lines=lines)[0])


def analyze(sessions: sessionmaker[Session]) -> None:
    """Let what comes later be newer than the last ANALYZE. See Note [Plans for a new ledger]."""
    with scope.session_scope(sessions) as session:
        session.execute(sa.text("ANALYZE"))


def cost(sessions: sessionmaker[Session], read: Read) -> Mapping[str, int]:
    """Return what the read costs: rows by table, or steps in all."""
    with scope.session_scope(sessions, readonly=True) as session:
        count = steps if session.get_bind().dialect.name == "sqlite" else rows
        return count(session, read)


def steps(session: Session, read: Read) -> Mapping[str, int]:
    driver: Any = session.connection().connection.driver_connection
    counted = Counter[str]()
    driver.set_progress_handler(lambda: counted.update(["all"]), STEPS_COUNTED)
    read(session)
    driver.set_progress_handler(None, 0)
    return counted


def rows(session: Session, read: Read) -> Mapping[str, int]:
    seen: list[tuple[str, Any]] = []
    engine = session.get_bind().engine

    def see(*args: Any) -> None:
        seen.append((args[2], args[3]))

    sa.event.listen(engine, "before_cursor_execute", see)
    read(session)
    sa.event.remove(engine, "before_cursor_execute", see)
    counted = Counter[str]()
    for statement, values in seen:
        if not statement.startswith("SELECT"):
            continue
        explained = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        _add_rows(counted, explained.scalar_one()[0]["Plan"])
    return counted


def _add_rows(counted: Counter[str], plan: Mapping[str, Any]) -> None:
    if "Relation Name" in plan:
        read = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        counted[plan["Relation Name"]] += round(read * plan["Actual Loops"])
    for child in plan.get("Plans", ()):
        _add_rows(counted, child)


def balance(book: Book, *, all_accounts: bool = False, **times: Any) -> Read:
    asked = {"at": None, "known_at": None, **times}
    account_ids = None if all_accounts else [book.busy]
    return lambda session: queries.balances_at(session, book.ledger, account_ids, **asked)


TIMES = {
    "at": lambda moment: {"at": moment},
    "known at": lambda moment: {"known_at": moment},
    "both": lambda moment: {"at": moment, "known_at": moment},
}


# One test for all of it: the long book takes longer to lay than to be asked.
def test_a_balance_or_a_page_costs_its_days_and_one_days_postings(
    sessions: sessionmaker[Session],
) -> None:
    short = book(sessions, lines=LINES_SHORT)
    analyze(sessions)
    long = book(sessions, lines=LINES_LONG)

    for times, all_accounts in itertools.product(TIMES.values(), [False, True]):
        at_day_end = cost(sessions, balance(long, all_accounts=all_accounts, **times(DAY_END)))
        at_noon = cost(sessions, balance(long, all_accounts=all_accounts, **times(NOON)))

        assert at_day_end["postings"] == 0
        of_short = cost(sessions, balance(short, all_accounts=all_accounts, **times(DAY_END)))
        assert all(count <= of_short[where] * 1.01 for where, count in at_day_end.items()), (at_day_end, of_short)
        of_the_day = len(times(NOON)) * (LINES_LONG if all_accounts else LINES_LONG // 2)
        assert at_noon["postings"] <= of_the_day
        assert at_noon["all"] <= at_day_end["all"] + of_the_day * STEPS_PER_ROW

    middle = cost(sessions, statement(long))
    if "all" not in middle:
        assert middle["postings"] <= PAGE + LINES_LONG // 2
    else:
        assert middle["all"] <= (PAGE + DAYS + LINES_LONG // 2) * STEPS_PER_ROW


def test_a_balance_after_years_costs_a_row_more_for_each_month(sessions: sessionmaker[Session]) -> None:
    months = book(sessions, lines=LINES_FEW, days=OF_MONTHS)
    analyze(sessions)
    years = book(sessions, lines=LINES_FEW, days=OF_YEARS)

    for times, all_accounts in itertools.product(TIMES.values(), [False, True]):
        accounts_read = 1 + LINES_FEW // 4 if all_accounts else 1
        of_months = cost(sessions, balance(months, all_accounts=all_accounts, **times(noon_of(OF_MONTHS - 10))))
        of_years = cost(sessions, balance(years, all_accounts=all_accounts, **times(noon_of(OF_YEARS - 10))))

        most = accounts_read * (MONTHS + DAYS_OF_MONTH * len(times(NOON)))
        assert of_years["period_totals"] <= most, (of_months, of_years)
        assert of_years["all"] <= of_months["all"] + most * STEPS_PER_ROW, (of_months, of_years)


def noon_of(day: int) -> datetime:
    return FIRST_DAY + timedelta(days=day, hours=12)


def statement(book: Book) -> Read:
    """Return what reads a page from the middle of a day."""
    return lambda session: queries.list_postings(
        session, book.ledger, "busy", effective_from=NOON, after=None, limit=PAGE
    )
