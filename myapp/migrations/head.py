"""Is this database at the schema this code was written for?

Asked at each start, so without alembic, which takes longer to import than all of this to do.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from myapp import errors
from myapp.db.unit import Unit

# So may a standby be asked, whatever the settings say of other work.
_LOOK = Unit(readonly=True, isolation="READ COMMITTED")

VERSIONS = Path(__file__).parent / "versions"
_NUMBER = re.compile(r'^(down_)?revision = "(\w+)"', re.MULTILINE)

_TABLE = "alembic_version"
_revisions = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(_TABLE))


class SchemaError(errors.MyappError):
    """The database is not one that this code can work on."""

    code = "schema"


class Unreachable(SchemaError):
    """The database cannot be reached."""


@functools.cache
def expected() -> frozenset[str]:
    """Return the revisions that a current database has."""
    numbers = [found for file in VERSIONS.glob("*.py") for found in _NUMBER.findall(file.read_text(encoding="utf-8"))]
    heads = {number for down, number in numbers if not down} - {number for down, number in numbers if down}
    if not heads:
        raise SchemaError(f"There are no migrations in {VERSIONS}; install the package anew.")
    return frozenset(heads)


def is_current(session: Session) -> bool:
    """Say whether the database is at the head of the migrations now; one SELECT."""
    return frozenset(session.scalars(_revisions)) == expected()


def require(engine: Engine, *, command: str = "alembic upgrade head") -> None:
    """Refuse a database that is not at the head of the migrations; `command` is what brings it there.

    Raises:
        Unreachable: the database cannot be asked.
        SchemaError: it has another schema; the message has the command.
    """
    url = engine.url.render_as_string(hide_password=True)
    try:
        found = _found(engine)
    except sa.exc.DBAPIError as exc:
        raise Unreachable(f"The database {url} cannot be used: {exc.orig}") from exc
    if found != expected():
        at, needed = (", ".join(sorted(revisions)) or "empty" for revisions in (found, expected()))
        raise SchemaError(
            f"The database {url} is not at the current schema (it is at: {at}; needed: {needed}).\n"
            f"Run this in the project's root, then start again:\n\n    {command}\n"
        )


def _found(engine: Engine) -> frozenset[str]:
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        # To connect would leave an empty file behind.
        return frozenset()
    with engine.connect().execution_options(db_unit=_LOOK) as connection:
        is_there = sa.inspect(connection).has_table(_TABLE)
        return frozenset(connection.scalars(_revisions)) if is_there else frozenset()
