"""Is this database at the schema this code was written for?"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from myapp import errors

COMMAND = "alembic upgrade head"


class SchemaError(errors.MyappError):
    """The database has another schema than the one this code needs."""

    code = "schema"


def expected() -> frozenset[str]:
    """Return the revisions that a current database has."""
    return frozenset(ScriptDirectory(str(Path(__file__).parent)).get_heads())


def require(engine: Engine) -> None:
    """Refuse a database that is not at the head of the migrations.

    Raises:
        SchemaError: with the command that mends it.
    """
    url = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            found = frozenset(MigrationContext.configure(connection).get_current_heads())
    except sa.exc.OperationalError as exc:
        raise SchemaError(f"The database {url} cannot be reached: {exc.orig}") from exc
    if found != expected():
        at = ", ".join(sorted(found)) or "empty"
        needed = ", ".join(sorted(expected()))
        raise SchemaError(
            f"The database {url} is not at the current schema (it is at: {at}; needed: {needed}).\n"
            f"Run this in the project's root, then start again:\n\n    {COMMAND}\n"
        )
