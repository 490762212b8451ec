"""A ledger with very many transactions, laid straight into the tables: what recording would have left, in seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import ids, model, operations, tables, terms

START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
CUSTOMERS = 1_000
# How many transactions the other ledger has.
OLD = 100
# One transaction in so many is rare.
RARE = 5_000
COLORS = ("red", "green", "blue", "Größe", "東京")
# Whether PostgreSQL has statistics: of no ledger, of an old one only, of the one that is asked as well.
STATES = ("never analyzed", "older than the ledger", "analyzed")
TABLES = (tables.transactions, tables.postings, tables.holds, tables.transaction_terms, tables.events)
PORTION = 10_000

Row = dict[str, Any]


def lay_beside_another(engine: Engine, sessions: sessionmaker[Session], transactions: int, state: str) -> model.Ledger:
    """Make a ledger in a database where there is one already, in one of the `STATES` of what the planner knows."""
    with scope.session_scope(sessions) as session:
        lay(session, "old", OLD)
    if state == STATES[1]:
        _analyze(engine)
    with scope.session_scope(sessions) as session:
        ledger = lay(session, "new", transactions)
    if state == STATES[2]:
        _analyze(engine)
    return ledger


def _analyze(engine: Engine) -> None:
    # Committed: what is rolled back was never analyzed.
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")


def lay(session: Session, name: str, transactions: int) -> model.Ledger:
    """Make a ledger with two postings a transaction, recorded a quarter of an hour apart and effective up to a year
    before; those that are rare are among the oldest half."""
    ledger = operations.create_ledger(session, name, metadata={}, now=START)
    accounts = [
        operations.open_account(session, ledger, model.NewAccount(path=path, type=kind), now=START).id
        for path, kind in _paths()
    ]
    connection = session.connection()
    _insert(connection, tables.balances, _balances(ledger, accounts, transactions))
    chance = random.Random(1)
    for first in range(0, transactions, PORTION):
        rows: dict[str, list[Row]] = {table.name: [] for table in TABLES}
        for number in range(first, min(first + PORTION, transactions)):
            _transaction(rows, ledger, accounts, number, transactions, chance)
        for table in TABLES:
            _insert(connection, table, rows[table.name])
    return ledger


def _paths() -> Iterator[tuple[str, model.AccountType]]:
    yield "assets:cash", model.AccountType.ASSET
    yield "assets:rare", model.AccountType.ASSET
    yield "assets:rare:below", model.AccountType.ASSET
    for number in range(CUSTOMERS):
        yield f"income:customers:{number}", model.AccountType.INCOME


def _balances(ledger: model.Ledger, accounts: Sequence[UUID], transactions: int) -> list[Row]:
    counters = dict.fromkeys(("debits_posted", "credits_posted", "debits_pending", "credits_pending"), 0)
    few = transactions // RARE
    return [
        {"ledger_id": ledger.id, "account_id": account, "currency": currency, "closed": False, **counters}
        | {"version": few if place in (1, 2) or currency == "JPY" else transactions}
        for place, account in enumerate(accounts)
        for currency in ("USD", "JPY")
    ]


def _transaction(
    rows: dict[str, list[Row]],
    ledger: model.Ledger,
    accounts: Sequence[UUID],
    number: int,
    transactions: int,
    chance: random.Random,
) -> None:
    recorded_at = START + number * STEP
    new = ids.new_id(recorded_at)
    is_rare = number % RARE == 17 and number < transactions // 2
    its = {"ledger_id": ledger.id, "transaction_id": new}
    row = {
        "ledger_id": ledger.id,
        "id": new,
        "reference": f"order-{number}",
        "status": "pending" if is_rare else "posted",
        "effective_at": recorded_at - timedelta(days=chance.randrange(365), seconds=chance.randrange(86_400)),
        "recorded_at": recorded_at,
        "description": f"{'Rare' if is_rare else 'Sale'} {chance.choice(COLORS)} {number}",
        "metadata": {"order": str(number), "channel": "shop" if is_rare else "web"},
    }
    rows["transactions"].append(row)
    amount = 77_777 if is_rare else chance.randrange(1, 100_000_000)
    for line, account in enumerate(
        (accounts[1 + number // RARE % 2] if is_rare else accounts[0], _customer(accounts, chance))
    ):
        rows["postings"].append(
            {
                **its,
                "line": line,
                "account_id": account,
                "currency": "JPY" if is_rare else "USD",
                "side": "credit" if line else "debit",
                "amount": amount,
                "debits_posted": 0,
                "credits_posted": 0,
                "debits_pending": 0,
                "credits_pending": 0,
                "balance_version": number + 1,
                "effective_at": row["effective_at"],
                "effect": "pending" if is_rare else "posted",
            }
        )
    rows["events"].append(
        {
            "ledger_id": ledger.id,
            "id": new,
            "place": number + 1,
            "seq": number + 1,
            "type": f"transaction.{row['status']}",
            "payload": {},
            "recorded_at": recorded_at,
        }
    )
    if is_rare:
        rows["holds"].append({**its, "state": "voided" if number % 2 else "pending", "posts": 0, "reversed_posts": 0})
    of = terms.of(row["description"], row["metadata"])
    rows["transaction_terms"] += ({**its, "term": term} for term in of)


def _customer(accounts: Sequence[UUID], chance: random.Random) -> UUID:
    return accounts[3 + chance.randrange(CUSTOMERS)]


def _insert(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(column.name for column in columns)
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        plain = [column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for column in columns]
        values = (
            [value if to is None else to(value) for to, value in zip(plain, row.values(), strict=True)] for row in rows
        )
        driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})", values)
        return
    with driver.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([json.dumps(value) if isinstance(value, dict) else value for value in row.values()])
