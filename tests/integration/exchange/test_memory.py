"""Sixty thousand postings are exported in the memory that a few take, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import scope
from myapp.ledger import queries
from tests.integration.exchange import books, lives

pytestmark = [pytest.mark.slow, pytest.mark.long]

TRANSACTIONS = 30_000
# A list of them would take several times as much.
GROWTH_BYTES_MAX = 20_000_000

SERIES = {
    "postgresql": "SELECT gen_random_uuid() AS id FROM generate_series(1, :count)",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
    "SELECT randomblob(16) AS id FROM n",
}
# The counters are not right; nothing here reads them.
COPY_TRANSACTION = """
INSERT INTO transactions (ledger_id, id, status, effective_at, recorded_at, metadata)
SELECT t.ledger_id, s.id, t.status, t.effective_at, t.recorded_at, t.metadata
FROM transactions t, ({series}) s
WHERE t.ledger_id = :ledger AND t.id = :seed
"""
COPY_POSTINGS = """
INSERT INTO postings (ledger_id, transaction_id, line, account_id, currency, side, amount, debits_posted,
    credits_posted, debits_pending, credits_pending, balance_version, effective_at, effect)
SELECT p.ledger_id, t.id, p.line, p.account_id, p.currency, p.side, p.amount, 0, 0, 0, 0,
    1 + row_number() OVER (), p.effective_at, p.effect
FROM transactions t, (SELECT * FROM postings WHERE ledger_id = :ledger AND transaction_id = :seed) p
WHERE t.ledger_id = :ledger AND t.id <> :seed
"""
COPY_PRICE = """
INSERT INTO prices (ledger_id, id, currency, quote, effective_at, price, recorded_at)
SELECT p.ledger_id, s.id, p.currency, p.quote, p.effective_at, p.price, p.recorded_at
FROM prices p, ({series}) s
WHERE p.ledger_id = :ledger
"""

CHILD = """
import resource, sys
import myapp
from myapp.api.exchange import book, export
from myapp.api.exchange.schemas import Format
from myapp.db import scope
from myapp.ledger import queries

url, few, many = sys.argv[1:]
registry = myapp.main({}, **{"sqlalchemy.url": url, "myapp.auth": "open"}).registry

def size(name, form):
    with scope.session_scope(registry["db.sessions"], readonly=True) as session:
        ledger = queries.get_ledger(session, name)
        return sum(map(len, export.WRITERS[form].write(book.read(session, ledger, queries.Period()))))

forms = (Format.NDJSON, Format.BEANCOUNT)
for form in forms:
    size(few, form)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sizes = [size(many, form) for form in forms]
print(min(sizes), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def multiply(sessions: sessionmaker[Session], name: str, dialect: str) -> None:
    """Copy the one transaction and the one price of a ledger, in the tables."""
    with scope.session_scope(sessions) as session:
        ledger = queries.get_ledger(session, name)
        (one,) = queries.Walk(session, ledger).entries(queries.Order.RECORDED)
        ids = {"ledger": ledger.id, "seed": UUID(one[0].id)}
        binds = {key: each.bytes if dialect == "sqlite" else each for key, each in ids.items()}
        session.execute(sa.text(COPY_TRANSACTION.format(series=SERIES[dialect])), {**binds, "count": TRANSACTIONS})
        session.execute(sa.text(COPY_POSTINGS), binds)
        copy_price = sa.text(COPY_PRICE.format(series=SERIES[dialect]))
        session.execute(copy_price, {"ledger": binds["ledger"], "count": TRANSACTIONS})


def test_does_not_grow_with_the_ledger(sessions: sessionmaker[Session], database_url: str, dialect: str):
    price = lives.Step(lives.Kind.PRICE, which=0, amount=1, minutes=1)
    one_sale = books.Wanted(accounts=books.two_accounts(), transactions=[books.sale("1.00")], steps=[price])
    few, many = books.make(sessions, one_sale), books.make(sessions, one_sale)
    multiply(sessions, many, dialect)

    child = subprocess.run(
        [sys.executable, "-c", CHILD, database_url, few, many],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if name not in settings.VARIABLES},
    )

    assert child.returncode == 0, child.stderr
    size, growth = map(int, child.stdout.split())
    assert size > TRANSACTIONS * 50
    assert growth < GROWTH_BYTES_MAX
