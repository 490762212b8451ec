"""How many statements each function sends, whatever the size of what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from myapp.db.telemetry.counting import count_statements
from myapp.ledger import access, operations, queries
from myapp.ledger.model import Ledger
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import NOW, Desk, in_every_form, key, transfer

Read = Callable[[Session, Ledger], object]

READS: dict[str, tuple[Read, int]] = {
    "get_ledger": (lambda session, ledger: queries.get_ledger(session, ledger.name), 1),
    "list_ledgers": (lambda session, ledger: queries.list_ledgers(session, after=None, limit=9), 1),
    "list_currencies": (lambda session, ledger: queries.list_currencies(session, ledger, after=None, limit=9), 1),
    "exponents": (lambda session, ledger: queries.exponents(session, ledger, ["USD", "EUR"]), 1),
    "get_account": (lambda session, ledger: queries.get_account(session, ledger, "assets:till"), 2),
    "list_accounts": (lambda session, ledger: queries.list_accounts(session, ledger, after=None, limit=9), 2),
    "list_transactions": (
        lambda session, ledger: queries.list_transactions(
            session, ledger, criteria=queries.TransactionFilter(), after=None, limit=9, now=NOW
        ),
        4,
    ),
    "list_postings": (
        lambda session, ledger: queries.list_postings(session, ledger, "assets:till", after=None, limit=9),
        3,
    ),
    "list_postings from a time": (
        lambda session, ledger: queries.list_postings(
            session, ledger, "assets:till", effective_from=NOW, after=None, limit=9
        ),
        5,
    ),
    "balances_at": (
        lambda session, ledger: queries.balances_at(session, ledger, None, at=NOW, known_at=NOW),
        1,
    ),
    "balances_at of accounts": (
        lambda session, ledger: queries.balances_at(
            session, ledger, [UUID(int=number) for number in range(2_500)], at=NOW, known_at=NOW
        ),
        1,
    ),
    "movements": (
        lambda session, ledger: queries.movements(
            session,
            ledger,
            [UUID(int=number) for number in range(2_500)],
            effective_from=NOW,
            effective_to=NOW + timedelta(days=2),
            known_at=NOW,
        ),
        1,
    ),
    "find_names": (lambda session, ledger: queries.find_names(session, {ledger.id, UUID(int=7)}), 1),
    "list_references": (lambda session, ledger: queries.list_references(session, ledger, prefix="sale-"), 1),
    "sum_movements": (
        lambda session, ledger: queries.sum_movements(session, ledger, [f"assets:{n}" for n in range(3_000)]),
        2,
    ),
    "figures_at": (lambda session, ledger: queries.figures_at(session, ledger, at=NOW, known_at=NOW), 2),
    "figures_between": (
        lambda session, ledger: queries.figures_between(
            session, ledger, effective_from=NOW, effective_to=NOW, known_at=NOW
        ),
        1,
    ),
    "list_prices": (lambda session, ledger: queries.list_prices(session, ledger, after=None, limit=9), 1),
    "find_rates": (
        lambda session, ledger: queries.find_rates(session, ledger, ["EUR", "USD"], "CHF", at=NOW, known_at=NOW),
        1,
    ),
    "find_key": (lambda session, ledger: access.find_key(session, "nobody's"), 1),
}


@pytest.mark.parametrize("name", READS)
def test_reads(desk: Desk, engine: Engine, name: str) -> None:
    read, expected = READS[name]
    desk.open("assets:till")
    desk.open("income:sales")
    desk.record(*(transfer(str(n)) for n in range(1, 6)))

    with desk.at_work(readonly=True) as session, count_statements(engine) as statements:
        read(session, desk.ledger)

    statements.require(expected)


@in_every_form
@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("with_key", [False, True])
def test_record(shop: Desk, engine: Engine, form: Form, count: int, with_key: bool) -> None:
    shop.record(transfer("1"))
    batch = [transfer("1", reference=str(n)) for n in range(count)]
    claim = key("k") if with_key else None

    with shop.at_work() as session, count_statements(engine) as statements:
        operations.record(session, shop.ledger, batch, now=NOW, form=form, claim=claim)

    # Exponents, and then either the one statement or: the key, accounts, transactions, balances, postings, day totals,
    # events.
    statements.require(2 if form is Form.STATEMENT else 7 + with_key)


@in_every_form
def test_record_the_first_of_a_balance(shop: Desk, engine: Engine, form: Form) -> None:
    with shop.at_work() as session, count_statements(engine) as statements:
        operations.record(session, shop.ledger, [transfer("1")] * 100, now=NOW, form=form)

    # As above, and the accounts once more: see Note [Closing an account] in accounts.py.
    statements.require(3 if form is Form.STATEMENT else 8)


@in_every_form
def test_a_repeated_key(shop: Desk, engine: Engine, form: Form) -> None:
    batch = [transfer("1", reference=str(n)) for n in range(100)]
    shop.record(*batch, claim=key("k"))

    with shop.at_work() as session, count_statements(engine) as statements:
        operations.record(session, shop.ledger, batch, now=NOW, form=form, claim=key("k"))

    # Exponents, the key, what it was used for, its transactions, their postings, the accounts of those.
    statements.require(6)
