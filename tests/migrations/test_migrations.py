"""The schema comes from Alembic alone, and the models say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import engine as engines
from myapp.ledger import tables
from myapp.ledger.bank import tables as bank_tables  # noqa: F401 (they join the same metadata)
from myapp.ledger.webhooks import tables as webhook_tables  # noqa: F401
from myapp.migrations import head
from tests import databases


@pytest.fixture
def empty_url(dialect: str, empty_database_url: Callable[[str], str]) -> str:
    return empty_database_url(dialect)


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[Engine]:
    engine = engines.build(settings.Database(url=empty_url))
    yield engine
    engine.dispose()


STORAGE = {
    "sqlite": "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'",
    "postgresql": "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace",
}


def schema(connection: Connection) -> dict[str, object]:
    """Return all that can be read of the schema, without Alembic's own table."""
    inspector = sa.inspect(connection)
    read = (
        inspector.get_multi_columns,
        inspector.get_multi_pk_constraint,
        inspector.get_multi_foreign_keys,
        inspector.get_multi_unique_constraints,
        inspector.get_multi_check_constraints,
        inspector.get_multi_indexes,
    )
    parts = {f"{table} {get.__name__}": plain(found) for get in read for (_, table), found in get().items()}
    parts |= {
        f"{name} storage": plain(rest) for name, *rest in connection.exec_driver_sql(STORAGE[connection.dialect.name])
    }
    return {name: part for name, part in parts.items() if not name.startswith("alembic_version")}


def plain(part: object) -> object:
    """Return what was read as values that compare; SQLAlchemy's expressions compare by identity."""
    match part:
        case dict():
            return {key: plain(value) for key, value in part.items()}
        case list():
            return sorted((plain(value) for value in part), key=str)
        case _:
            return str(part)


class TestRevisions:
    def test_have_one_head(self):
        script = ScriptDirectory.from_config(databases.alembic_config("sqlite://"))

        assert len(script.get_heads()) == 1

    def test_arrive_at_the_schema_the_models_describe(self, engine: Engine):
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})

            assert compare_metadata(context, tables.metadata) == []

    def test_leave_what_the_models_would_create(self, empty_engine: Engine, engine: Engine):
        with empty_engine.begin() as connection:
            tables.metadata.create_all(connection)
            modelled = schema(connection)
        with engine.connect() as connection:
            migrated = schema(connection)

        assert migrated == modelled

    def test_go_down_to_nothing_and_up_to_the_same(self, empty_url: str, empty_engine: Engine):
        config = databases.alembic_config(empty_url)

        alembic.command.upgrade(config, "head")
        with empty_engine.connect() as connection:
            first = schema(connection)
        alembic.command.downgrade(config, "base")
        with empty_engine.connect() as connection:
            between = schema(connection)
        alembic.command.upgrade(config, "head")
        with empty_engine.connect() as connection:
            second = schema(connection)

        assert first
        assert between == {}
        assert second == first


# Tables of which more is known, or will be, than that a ledger is one of many.
KNOWN_OF_LEDGERS = """
    SELECT tablename FROM pg_stats WHERE attname = 'ledger_id'
    UNION
    SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attname = 'ledger_id' AND c.relkind = 'r' AND a.attstattarget IS DISTINCT FROM 0
"""
A_CURRENCY = """
    WITH ledger AS (
      INSERT INTO ledgers (id, name, metadata, version, created_at)
      VALUES (gen_random_uuid(), 'old', '{}', 1, now()) RETURNING id
    )
    INSERT INTO currencies (ledger_id, code, exponent) SELECT id, 'USD', 2 FROM ledger
"""


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
class TestStatistics:
    """See docs/decisions/0031-plans.md."""

    def test_are_not_kept_of_ledgers(self, empty_url: str, empty_engine: Engine):
        alembic.command.upgrade(databases.alembic_config(empty_url), "0013")
        with empty_engine.begin() as connection:
            connection.exec_driver_sql(A_CURRENCY)
            connection.exec_driver_sql("ANALYZE")
            before = set(connection.exec_driver_sql(KNOWN_OF_LEDGERS).scalars())
        alembic.command.upgrade(databases.alembic_config(empty_url), "head")
        with empty_engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
            after = set(connection.exec_driver_sql(KNOWN_OF_LEDGERS).scalars())

        assert before >= set(tables.metadata.tables) - {"ledgers"}
        assert after == set()


class TestRequire:
    def test_refuses_an_empty_database_and_says_the_command(self, empty_engine: Engine):
        with pytest.raises(head.SchemaError, match="alembic upgrade head"):
            head.require(empty_engine)

    def test_expects_what_alembic_calls_the_head(self):
        assert head.expected() == set(ScriptDirectory(str(head.VERSIONS.parent)).get_heads())

    def test_accepts_the_head(self, engine: Engine):
        head.require(engine)
