"""A new ledger in large tables is read as fast as an old one: Note [Plans for a new ledger] in queries/__init__.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import model, operations, queries, verify
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import NOW, transfer

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)]

ACCOUNTS = 100
TRANSACTIONS = 2_000

READS: dict[str, Callable[[Session, model.Ledger], object]] = {
    "a statement": lambda session, ledger: queries.list_postings(session, ledger, "assets:0", after=None, limit=1000),
    "a list": lambda session, ledger: queries.list_transactions(
        session, ledger, criteria=queries.TransactionFilter(), after=None, limit=1000, now=NOW
    ),
    "a list by account": lambda session, ledger: queries.list_transactions(
        session, ledger, criteria=queries.TransactionFilter(account="assets:7"), after=None, limit=50, now=NOW
    ),
    "accounts": lambda session, ledger: queries.list_accounts(session, ledger, after=None, limit=1000),
    "verify": verify.verify,
}


@pytest.fixture
def engine(dialect: str, fresh_database_url: Callable[[str], str]) -> Iterator[Engine]:
    engine = engines.build(settings.Database(url=fresh_database_url(dialect)))
    yield engine
    engine.dispose()


def fill(session: Session, name: str) -> model.Ledger:
    ledger = operations.create_ledger(session, name, metadata={}, now=NOW)
    for number in range(ACCOUNTS):
        wanted = model.NewAccount(path=f"assets:{number}", type=model.AccountType.ASSET)
        operations.open_account(session, ledger, wanted, now=NOW)
    batch = [
        transfer("1", into=f"assets:{number % ACCOUNTS}", out_of=f"assets:{(number + 1) % ACCOUNTS}")
        for number in range(TRANSACTIONS)
    ]
    operations.record(session, ledger, batch, now=NOW + timedelta(hours=1), form=Form.STATEMENT)
    return ledger


def removed_by_joins(plan: dict[str, Any]) -> int:
    """Return how many pairs of rows the joins of a plan formed and threw away again."""
    own: int = plan.get("Rows Removed by Join Filter", 0) * plan.get("Actual Loops", 1)
    return own + sum(removed_by_joins(child) for child in plan.get("Plans", ()))


@pytest.mark.parametrize("read", READS)
def test_no_join_compares_all_with_all(engine: Engine, read: str) -> None:
    sessions = factory.build(engine)
    with scope.session_scope(sessions) as session:
        fill(session, "old")
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    with scope.session_scope(sessions) as session:
        ledger = fill(session, "new")
    seen: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append((args[2], args[3])))

    with scope.session_scope(sessions, readonly=True) as session:
        READS[read](session, ledger)
    selects = [(statement, values) for statement, values in seen if statement.startswith(("SELECT", "("))]

    assert selects
    with engine.connect() as connection:
        for statement, values in selects:
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
            assert removed_by_joins(explained[0]["Plan"]) < 2 * TRANSACTIONS, statement
