"""What is asked most costs as much in a large ledger as in a small one: recording, balances, pages of a statement.

The database was never analyzed, so that its planner knows of no ledger; or while it held another ledger only, so that
this one is new to it; or just now. The same on any size:
`MYAPP_ASKED_TRANSACTIONS=500000 .venv/bin/pytest tests/integration/ledger/test_request_plans.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory
from myapp.ledger import model, operations, queries
from myapp.ledger.recording import Form
from myapp.ledger.verifying import walk
from myapp.ledger.verifying.checkpoints import Checkpoint
from tests.integration.ledger import crowd, effort
from tests.integration.ledger.desk import transfer

pytestmark = pytest.mark.long

TRANSACTIONS = int(os.environ.get("MYAPP_ASKED_TRANSACTIONS", "20000"))
PAGE = 50
# Rows or pages on PostgreSQL, ten steps of SQLite's machine.
READ_MAX = 700
# Tables of a few rows here, which are as well read whole.
TINY = {"ledgers", "currencies", "period_totals"}
CASH, CUSTOMER = "assets:cash", "income:customers:7"
LATER = crowd.START + crowd.STEP * TRANSACTIONS + timedelta(days=1)
MIDDLE = crowd.START + crowd.STEP * (TRANSACTIONS // 2) + timedelta(hours=5)

Crowd = tuple[Engine, sessionmaker[Session], model.Ledger]
Ask = Callable[[Session, model.Ledger], object]


def balance(path: str, **asked: object) -> Ask:
    wanted = {"with_children": False, "at": None, "known_at": None} | asked
    return lambda session, ledger: queries.get_balance(session, ledger, path, **wanted)


def page(path: str, **asked: object) -> Ask:
    return lambda session, ledger: queries.list_postings(session, ledger, path, limit=PAGE, **{"after": None} | asked)


READS: dict[str, tuple[Ask, set[str]]] = {
    "a balance": (balance(CUSTOMER), {"pk_balances"}),
    "the balance of an account in all": (balance(CASH), {"pk_balances"}),
    "a balance with what is below": (balance("assets:rare", with_children=True), {"pk_balances"}),
    "a balance at a time of a day": (balance(CASH, at=MIDDLE), {"ix_postings_statement"}),
    "a balance as known at a time": (balance(CASH, known_at=MIDDLE), {"ix_postings_account"}),
    "a balance at a time as known": (balance(CASH, at=MIDDLE, known_at=MIDDLE), {"ix_postings_statement"}),
    "the first page of a statement": (page(CASH), {"ix_postings_statement"}),
    "a page of a statement from its middle": (page(CASH, effective_from=MIDDLE), {"ix_postings_statement"}),
    "a page of a short statement": (page(CUSTOMER), {"ix_postings_statement"}),
}
# Which index an export goes along.
EXPORTS = {
    queries.Order.RECORDED: {"pk_transactions", "sqlite_autoindex_transactions_1"},
    queries.Order.EFFECTIVE: {"ix_transactions_effective_day"},
}
FORMS = {"sqlite": [Form.STEPS], "postgresql": [Form.STEPS, Form.STATEMENT]}


@pytest.fixture(scope="module", params=crowd.STATES)
def crowded(request: pytest.FixtureRequest, dialect: str, databases_of: Callable) -> Iterator[Crowd]:
    with databases_of(dialect).private() as url:
        engine = engines.build(settings.Database(url=url))
        sessions = factory.build(engine)
        yield engine, sessions, crowd.lay_beside_another(engine, sessions, TRANSACTIONS, request.param)
        engine.dispose()


@pytest.mark.parametrize("name", READS)
def test_a_read_costs_what_it_returns(crowded: Crowd, dialect: str, name: str) -> None:
    engine, sessions, ledger = crowded
    ask, indexes = READS[name]

    spent = effort.of(engine, sessions, lambda session: ask(session, ledger))

    assert spent.scanned <= TINY, spent
    assert spent.read < READ_MAX, spent
    if dialect == "postgresql":
        assert indexes <= spent.indexes, spent
        assert indexes <= spent.generic or not spent.generic, spent


def test_recording_costs_its_own_postings(crowded: Crowd, dialect: str) -> None:
    engine, sessions, ledger = crowded
    wanted = [transfer("1.00", into=CASH, out_of=CUSTOMER)]

    def record(session: Session, form: Form) -> None:
        operations.record(session, ledger, wanted, now=LATER, form=form)

    for form in FORMS[dialect]:
        spent = effort.of(engine, sessions, partial(record, form=form), readonly=False)

        if form is Form.STATEMENT:
            assert spent.read > 20, "nothing was recorded"
        assert spent.scanned <= TINY, (form, spent)
        assert spent.read < READ_MAX, (form, spent)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_verifying_what_is_new_costs_what_is_new(crowded: Crowd) -> None:
    engine, sessions, ledger = crowded
    start = Checkpoint(TRANSACTIONS // 2, None)
    # Each event has two postings and some eight terms, and each posting one before it.
    read_max = 50 * walk.EVENTS_AT_ONCE

    spent = effort.of(engine, sessions, lambda session: walk.walk(session, ledger, start))

    assert spent.scanned <= TINY, spent
    assert spent.read < read_max, spent


@pytest.mark.parametrize("order", EXPORTS)
def test_an_export_goes_along_an_index(crowded: Crowd, order: queries.Order) -> None:
    engine, sessions, ledger = crowded

    spent = effort.of(engine, sessions, lambda session: list(queries.Walk(session, ledger).entries(order)))

    assert spent.statements == 1
    assert spent.sorted == 0, spent
    assert not spent.scanned - TINY - {"holds"}, spent
    assert EXPORTS[order] & spent.indexes, spent


def test_an_export_of_a_month_costs_a_month(crowded: Crowd) -> None:
    engine, sessions, ledger = crowded
    month = queries.Period(MIDDLE, MIDDLE + timedelta(days=30))

    def export(session: Session) -> list[object]:
        walk = queries.Walk(session, ledger, period=month)
        return [walk.days(), *walk.entries(queries.Order.EFFECTIVE)]

    spent = effort.of(engine, sessions, export)

    assert spent.sorted == 0, spent
    assert "ix_transactions_effective_day" in spent.indexes, spent
    # Its days twice, and pages of its postings, of which there are as many in a larger ledger.
    assert 1_000 < spent.read < 60_000, spent
