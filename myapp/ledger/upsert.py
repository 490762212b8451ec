"""INSERT … ON CONFLICT, which PostgreSQL and SQLite share and SQLAlchemy spells once for each."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert(session: Session, table: sa.Table) -> postgresql.Insert:
    """Return an INSERT that understands `on_conflict_…` and `excluded` on the session's database."""
    if session.get_bind().dialect.name == "sqlite":
        # The two are the same but in name, and typed as strangers.
        return sqlite.insert(table)  # type: ignore[return-value]
    return postgresql.insert(table)
