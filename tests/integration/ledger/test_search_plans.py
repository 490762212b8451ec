"""Each search goes along the index meant for it, and reads no more of a large ledger than of a small one.

The database was never analyzed, so that its planner knows of no ledger; or while it held another ledger only, so that
this one is new to it; or just now. The same on a million postings:
`MYAPP_SEARCHED_TRANSACTIONS=500000 .venv/bin/pytest tests/integration/ledger/test_search_plans.py` (some minutes).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import model, queries
from myapp.ledger.model import Status
from myapp.ledger.queries.search import finding
from tests.integration.ledger import crowd, effort

pytestmark = pytest.mark.long

TRANSACTIONS = int(os.environ.get("MYAPP_SEARCHED_TRANSACTIONS", "20000"))
# Rows on PostgreSQL, ten steps of SQLite's machine: the dearest searches merge a thousand accounts or a year.
READ_MAX = 30_000
MIDDLE = crowd.START + crowd.STEP * (TRANSACTIONS // 2)
MIDDLE = MIDDLE.replace(hour=0, minute=0)
HOUR, DAY, MONTH, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=30), timedelta(days=365)

SEARCHES: dict[str, tuple[dict[str, object], set[str], str]] = {
    "everything": ({}, set(), "pk_transactions"),
    "an account": ({"account": "income:customers:7"}, {"account"}, "ix_postings_account"),
    "an account of all": ({"account": "assets:cash"}, {"account"}, "ix_postings_account"),
    "a subtree of a few": ({"subtree": "assets:rare"}, {"subtree"}, "ix_postings_account"),
    "a subtree of a thousand": ({"subtree": "income"}, {"subtree"}, "ix_postings_account"),
    "a reference": ({"reference": "order-77"}, {"reference"}, "uq_transactions_reference"),
    "a day": ({"effective_from": MIDDLE, "effective_to": MIDDLE + DAY}, {"period"}, "ix_transactions_effective_day"),
    "a year": ({"effective_from": MIDDLE - YEAR, "effective_to": MIDDLE}, {"days"}, "ix_transactions_effective_day"),
    "posted": ({"status": Status.POSTED}, {"ledger"}, "pk_transactions"),
    "voided": ({"status": Status.VOIDED}, {"status"}, "ix_holds_state"),
    "expired": ({"status": Status.EXPIRED}, {"status"}, "ix_holds_state"),
    "everything as known": ({"known_at": MIDDLE}, set(), "pk_transactions"),
    "an account as known": ({"account": "assets:cash", "known_at": MIDDLE}, {"account"}, "ix_postings_account"),
    "pending as known": ({"status": Status.PENDING, "known_at": MIDDLE}, {"holds"}, "pk_holds"),
    "expired as known": ({"status": Status.EXPIRED, "known_at": MIDDLE}, {"holds"}, "pk_holds"),
    "voided as known": ({"status": Status.VOIDED, "known_at": MIDDLE}, {"status"}, "ix_holds_state"),
    "a rare currency": ({"currency": "JPY"}, {"amounts"}, "ix_postings_amount"),
    "an amount": ({"currency": "JPY", "amount_min": 77_777, "amount_max": 77_777}, {"amount"}, "ix_postings_amount"),
    "few amounts": ({"currency": "USD", "amount_min": 1, "amount_max": 50_000}, {"amounts"}, "ix_postings_amount"),
    "many amounts": ({"currency": "USD", "amount_min": 10_000_000}, {"ledger"}, "pk_transactions"),
    "an entry of one": ({"metadata": {"order": "77"}}, {"term"}, "pk_transaction_terms"),
    "an entry of all": ({"metadata": {"channel": "web"}}, {"term"}, "pk_transaction_terms"),
    "common words": ({"text": "sale red"}, {"term"}, "pk_transaction_terms"),
    "a rare word": ({"text": "RARE"}, {"term"}, "pk_transaction_terms"),
    "an account and a rare word": ({"account": "assets:cash", "text": "rare"}, {"term"}, "pk_transaction_terms"),
    "an account in an hour": (
        {"account": "assets:cash", "effective_from": MIDDLE, "effective_to": MIDDLE + HOUR},
        {"account and period"},
        "ix_postings_statement",
    ),
    "an account and an entry": (
        {"account": "income:customers:7", "metadata": {"channel": "web"}}, {"account"}, "ix_postings_account",
    ),
    "a subtree in a day": (
        {"subtree": "income", "effective_from": MIDDLE, "effective_to": MIDDLE + DAY},
        {"period"},
        "ix_transactions_effective_day",
    ),
    "an entry in a day": (
        {"metadata": {"channel": "web"}, "effective_from": MIDDLE, "effective_to": MIDDLE + DAY},
        {"period"},
        "ix_transactions_effective_day",
    ),
    "an entry and amounts": (
        {"metadata": {"channel": "web"}, "currency": "USD", "amount_min": 1, "amount_max": 50_000},
        {"amounts"},
        "ix_postings_amount",
    ),
}  # fmt: skip

# What SQLite calls its own indexes.
ON_SQLITE = {
    "pk_transactions": "sqlite_autoindex_transactions_1",
    "pk_transaction_terms": "transaction_terms",
    "pk_holds": "sqlite_autoindex_holds_1",
}

# There are a dozen here: a page, which PostgreSQL reads whole once it knows.
OF_HOLDS = {"pk_holds", "ix_holds_state"}

Crowd = tuple[Engine, sessionmaker[Session], model.Ledger]


@pytest.fixture(scope="module", params=crowd.STATES)
def crowded(request: pytest.FixtureRequest, dialect: str, databases_of: Callable) -> Iterator[Crowd]:
    with databases_of(dialect).private() as url:
        engine = engines.build(settings.Database(url=url))
        sessions = factory.build(engine)
        yield engine, sessions, crowd.lay_beside_another(engine, sessions, TRANSACTIONS, request.param)
        engine.dispose()


@pytest.mark.parametrize("name", SEARCHES)
def test_goes_along_its_index(crowded: Crowd, dialect: str, name: str, record_property: Callable) -> None:
    engine, sessions, ledger = crowded
    asked, walks, index = SEARCHES[name]
    criteria = queries.TransactionFilter(**asked)  # type: ignore[arg-type]
    with scope.session_scope(sessions, readonly=True) as session:
        walk = {finding.choose(session, ledger, criteria, criteria.span).name} if walks else set()

    spent = effort.of(
        engine, sessions, lambda session: finding.find(session, ledger, criteria, after=None, limit=50, now=MIDDLE)
    )

    record_property("read", spent.read)
    assert walk == walks
    used = ON_SQLITE.get(index, index) if dialect == "sqlite" else index
    for indexes in filter(None, (spent.indexes, spent.generic)):
        went = any(each.startswith(used) for each in indexes)
        assert went or (index in OF_HOLDS and "holds" in spent.scanned), spent
    assert spent.scanned <= {"holds"}, spent
    assert spent.read < READ_MAX, spent
