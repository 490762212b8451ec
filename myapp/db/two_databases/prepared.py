"""Transactions that are prepared in the second database: finished in one way or the other, listed, checked for.

To finish one is no part of a transaction, so it goes to the driver's connection, past SQLAlchemy's BEGIN.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors as psycopg_errors
from psycopg import sql
from sqlalchemy.engine import Connection, Engine

from myapp import settings
from myapp.db import errors
from myapp.db.two_databases.decisions import Decision

FINISH_SECONDS = 5.0

_LIST = sa.text("""\
SELECT gid AS name, prepared AS prepared_at
FROM pg_prepared_xacts
WHERE database = current_database() AND gid LIKE 'myapp:%'
ORDER BY prepared, gid""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A transaction that waits for its decision."""

    name: str
    prepared_at: datetime


def list_prepared(second: Connection) -> Sequence[Prepared]:
    """Return the transactions that applications of this kind prepared in this database, the oldest first.

    Raises:
        settings.SettingsError: this is a standby, which sees none of them.
    """
    if second.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one():
        raise settings.SettingsError(
            ["sqlalchemy.second_url: leads to a standby, which does not see what is prepared; name the primary"]
        )
    return [Prepared(name=row.name, prepared_at=row.prepared_at) for row in second.execute(_LIST)]


def finish(driver: Any, name: str, decision: Decision) -> None:
    """Commit or roll back a prepared transaction, on a driver's connection that is in no transaction.

    Raises:
        psycopg.Error: it stays prepared, or the connection was lost on the way.
    """
    driver.answer_by = time.monotonic() + FINISH_SECONDS
    try:
        driver.execute(sql.SQL("{} PREPARED {}").format(sql.SQL(decision.value), sql.Literal(name)))
    except (psycopg_errors.UndefinedObject, psycopg_errors.ObjectNotInPrerequisiteState):
        # Whoever was faster, or is just about it, asked the same first database and got the same answer.
        return


def finish_on(second: Engine, name: str, decision: Decision) -> None:
    """Commit or roll back a prepared transaction on a connection of its own.

    Raises:
        Unavailable: it stays prepared, or the connection was lost on the way.
    """
    try:
        with _lent(second) as driver:
            finish(driver, name, decision)
    except psycopg.Error as exc:
        raise errors.Unavailable(f"The prepared transaction {name} could not be finished: {exc}") from exc


@contextmanager
def _lent(engine: Engine) -> Iterator[Any]:
    """Lend a driver's connection; it comes back to the pool, or is thrown away with the error."""
    proxied = engine.raw_connection()
    try:
        yield proxied.driver_connection
    except psycopg.Error:
        proxied.invalidate()
        raise
    finally:
        proxied.close()
