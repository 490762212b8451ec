"""Run Alembic against the database the application would use.

The URL comes from development.ini beside alembic.ini, from another ini file (`alembic -x ini=FILE`), or from
MYAPP_DATABASE_URL. The engine is the application's own, so its lock and statement time-outs hold here as well; a
revision that needs longer says so with SET LOCAL. Each revision commits by itself. Of two runs at once on PostgreSQL
the second waits for the first and then finds nothing left to do.

What keeps it from starting is one line, which Alembic prints in place of a traceback for a CommandError.
"""

from __future__ import annotations

import logging.config
import os
from pathlib import Path

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import engine as engines
from myapp.db.databases import pooler
from myapp.db.two_databases import decisions
from myapp.ledger import tables
from myapp.ledger.bank import tables as bank_tables  # noqa: F401 (they join the same metadata)
from myapp.ledger.webhooks import tables as webhook_tables  # noqa: F401

# "myapp" as a number: the advisory lock of whoever migrates.
MIGRATION_LOCK = int.from_bytes(b"myapp")
OTHER_RUN_MINUTES_MAX = 10

# There the lock would stay on whatever connection took it, in the way of every later run.
BEHIND_POOLER = (
    "The database is reached through a pooler; migrate at the server's own address, named in an ini file "
    "(alembic -x ini=FILE upgrade head) or in MYAPP_DATABASE_URL"
)


def _database() -> settings.Database:
    """Return the settings a caller handed in, else those of the ini file and the environment."""
    given: settings.Database | None = context.config.attributes.get("database")
    if given is not None:
        return given
    beside = Path(context.config.config_file_name or "alembic.ini").parent / "development.ini"
    chosen = context.get_x_argument(as_dictionary=True).get("ini", str(beside))
    return settings.read_database(settings.read_ini(chosen), os.environ)


def _migrate(database: settings.Database) -> None:
    engine = engines.build(database)
    try:
        with _connect(engine) as connection:
            if connection.dialect.name == "postgresql":
                _wait_for_other_runs(connection)
            context.configure(
                connection=connection,
                target_metadata=tables.metadata,
                compare_server_default=True,
                include_name=_is_compared,
                render_as_batch=connection.dialect.name == "sqlite",
                transaction_per_migration=True,
                # Alembic holds SQLite's DDL for untransactional, which it is under the driver's own BEGIN alone.
                transactional_ddl=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


def _is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the table that the session layer makes for itself, where there is a second database."""
    return (kind, name) != ("table", decisions.TABLE_NAME)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except sa.exc.DBAPIError as exc:
        url = engine.url.render_as_string(hide_password=True)
        raise CommandError(f"The database {url} cannot be used: {_in_one_line(exc.orig)}") from exc


def _wait_for_other_runs(connection: Connection) -> None:
    """Take the lock of the migrations, which ends with the connection."""
    waits = f"SET LOCAL lock_timeout = '{OTHER_RUN_MINUTES_MAX}min'; SET LOCAL statement_timeout = 0"
    try:
        with connection.begin():
            if pooler.is_between(connection):
                raise CommandError(BEHIND_POOLER)
            connection.exec_driver_sql(waits)
            connection.execute(sa.select(sa.func.pg_advisory_lock(MIGRATION_LOCK)))
    except sa.exc.OperationalError as exc:
        message = f"Another run has been migrating this database for {OTHER_RUN_MINUTES_MAX} minutes or is stuck"
        raise CommandError(f"{message}: {_in_one_line(exc.orig)}") from exc


def _in_one_line(message: object) -> str:
    return " ".join(str(message).split())


def _print_sql(database: settings.Database) -> None:
    dialect_name = sa.make_url(database.url).get_backend_name()
    context.configure(
        dialect_name=dialect_name,
        target_metadata=tables.metadata,
        literal_binds=True,
        transaction_per_migration=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.config.config_file_name is not None:
    logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)

try:
    if context.is_offline_mode():
        _print_sql(_database())
    else:
        _migrate(_database())
except settings.SettingsError as exc:
    raise CommandError("; ".join(exc.problems)) from exc
