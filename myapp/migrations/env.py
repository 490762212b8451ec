"""Run Alembic against the database the application would use.

The URL comes from development.ini beside alembic.ini, from another ini file (`alembic -x ini=FILE`), or from
MYAPP_DATABASE_URL. The engine is the application's own, so its lock and statement time-outs hold here as well; a
revision that needs longer says so with SET LOCAL. Each revision commits by itself.
"""

from __future__ import annotations

import logging.config
import os
from pathlib import Path

import sqlalchemy as sa
from alembic import context

from myapp import settings
from myapp.db import engine as engines
from myapp.ledger import tables


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
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=tables.metadata,
                compare_server_default=True,
                render_as_batch=connection.dialect.name == "sqlite",
                transaction_per_migration=True,
                # Alembic holds SQLite's DDL for untransactional, which it is under the driver's own BEGIN alone.
                transactional_ddl=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


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

if context.is_offline_mode():
    _print_sql(_database())
else:
    _migrate(_database())
