"""What the migration finds of older transactions to search by is what recording writes of new ones."""

# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import alembic.command
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import operations, tables, terms
from myapp.ledger.model import NewTransaction
from myapp.ledger.recording import Form
from tests import databases
from tests.integration.ledger.desk import NOW, Desk, transfer

BEFORE = "0010"
TEXTS = [
    "Rent, rent; RENT… (January)",
    "Größe GRÖSSE grosse",
    "e\u0301clair \u00e9CLAIR \u1e9e ﬁne ﬀ",
    "İstanbul ISTANBUL ıstanbul",
    "ΣΊΣΥΦΟΣ σίσυφος ςσΣ",
    "ᾳ ᾼ \u0345 ΐ ǰ",
    "東京タワー ひらがな ｶﾀｶﾅ 한국어 한",
    "ภาษาไทย ລາວ",
    "\U00020000\U0001f4b0 \U0001d400 Ⅷ ½ ² ①",
    "12.50 1_000 ١٢٣ a_b __ a-b a'b",
    "x" * 1000,
    "é" * 500 + " " + "\u0301" * 499,
    "\u200bzero\u200dwidth\ufeff \u00a0nbsp\u3000wide ｗｉｄｅ",
    "\u202eright to left\u202c עברית العربية",
    "... --- !!!",
    " ",
    "",
    None,
]
ENTRIES = [
    {},
    {"order": "77", "a.b": "c d", "'": '"', "\\": "\\u0041"},
    {"ключ": "💰", "e\u0301": "\u00e9", "\u00e9": "e\u0301"},
    {"A": "a", "a": "A", "null": "null", "n": ""},
    {"k" * 100: "v" * 1000},
]


@pytest.fixture
def url(dialect: str, empty_database_url: Callable[[str], str]) -> str:
    return empty_database_url(dialect)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    alembic.command.upgrade(databases.alembic_config(url), "head")
    engine = engines.build(settings.Database(url=url))
    yield engine
    engine.dispose()


def stored(sessions: sessionmaker[Session]) -> list[tuple[object, ...]]:
    table = tables.transaction_terms
    columns = (table.c.ledger_id, table.c.transaction_id, table.c.term)
    with scope.session_scope(sessions, readonly=True) as session:
        return [tuple(row) for row in session.execute(sa.select(*columns).order_by(*columns))]


def test_is_the_same(engine: Engine, url: str, dialect: str) -> None:
    sessions = factory.build(engine)
    form = Form.STEPS if dialect == "sqlite" else Form.STATEMENT
    with scope.session_scope(sessions) as session:
        ledger = operations.create_ledger(session, "nasty", metadata={}, now=NOW)
    desk = Desk(sessions, ledger, form)
    desk.open("assets:till")
    desk.open("income:sales")
    wanted: list[NewTransaction] = [
        *(transfer(Decimal(1), description=text) for text in TEXTS),
        *(transfer(Decimal(1), metadata=each) for each in ENTRIES),
        *(transfer(Decimal(1), description=text, metadata=ENTRIES[1]) for text in TEXTS),
    ]
    desk.record(*wanted)
    recorded = stored(sessions)
    engine.dispose()

    alembic.command.downgrade(databases.alembic_config(url), BEFORE)
    alembic.command.upgrade(databases.alembic_config(url), "head")

    assert stored(sessions) == recorded
    assert len(recorded) == sum(len(terms.of(each.description, each.metadata)) for each in wanted)
