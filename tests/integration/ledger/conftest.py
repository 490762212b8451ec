"""Desks on every database; what records is tested in every form each database has."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp.ledger.model import Ledger
from myapp.ledger.recording import Form
from tests.integration.ledger.counter import BANK, SALES, TILL, Counter
from tests.integration.ledger.desk import Desk, limits, transfer


@pytest.fixture
def desk(sessions: sessionmaker[Session], ledger: Ledger) -> Desk:
    """Return a desk with an empty ledger of its own."""
    return Desk(sessions, ledger)


@pytest.fixture
def shop(sessions: sessionmaker[Session], ledger: Ledger, form: Form) -> Desk:
    """Return the desk of a shop: a till that never goes below zero, a bank, and sales."""
    desk = Desk(sessions, ledger, form)
    desk.open("assets:till", {"USD": limits("0"), "EUR": limits("0", "100")})
    desk.open("assets:bank")
    desk.open("income:sales")
    return desk


@pytest.fixture
def counter(sessions: sessionmaker[Session], ledger: Ledger, form: Form) -> Counter:
    """Return a counter with 100 dollars in the till, which cannot be overdrawn."""
    counter = Counter(sessions, ledger, form)
    counter.open(TILL, {"USD": limits("0")})
    counter.open(BANK)
    counter.open(SALES)
    counter.record(transfer("100"))
    return counter
