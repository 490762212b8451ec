"""INSERT … ON CONFLICT, which PostgreSQL and SQLite share and SQLAlchemy spells once for each.

Building a statement costs more than running it from the cache, so what the hot path sends is built once for each
dialect, with the values left open.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def dialect_of(session: Session) -> str:
    """Return the name of the session's dialect."""
    return session.get_bind().dialect.name


def insert(dialect: str, table: sa.Table) -> postgresql.Insert:
    """Return an INSERT that understands `on_conflict_…` and `excluded` in the dialect."""
    if dialect == "sqlite":
        # The two are the same but in name, and typed as strangers.
        return sqlite.insert(table)  # type: ignore[return-value]
    return postgresql.insert(table)
