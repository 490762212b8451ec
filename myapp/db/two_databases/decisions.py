"""What the first database decided about transactions that are prepared in the second one.

A prepared transaction outlives its process and its server, so what becomes of it must outlive them too. It is a row in
the first database, written by the very transaction that is to decide: the row is there for ever once that transaction
committed, and never if it did not. Whoever finds a prepared transaction later asks for its row, and where there is none
writes one that says no; so two who ask get the same answer, and the transaction itself can no longer say yes.

Note [Why not the transaction's number]
PostgreSQL tells what became of a transaction by its number (`pg_xact_status`), without a table. But a number is given
again after a crash that lost it before its first record was on disk, and after a fail-over or a restored backup the
same number is another transaction. A row goes wherever the data goes.
"""

from __future__ import annotations

import enum

import sqlalchemy as sa
from psycopg import errors as psycopg_errors
from sqlalchemy.engine import Connection, Engine

from myapp.db.limits import deadline
from myapp.db.unit import Unit

# How long to wait for a transaction that may be about to decide, and for all of one question.
UNDECIDED_MILLISECONDS = 200
QUESTION_SECONDS = 5.0

TABLE_NAME = "second_database_decisions"
TABLE = f"""\
CREATE TABLE IF NOT EXISTS {TABLE_NAME} (
    name text PRIMARY KEY,
    is_committed boolean NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
)"""

# Note [Whose it is]
# A transaction's name says which first database decides about it and in which second one it is prepared, since several
# first databases may share a second one, and a first one may be given another second one.
IDENTITY = """\
SELECT system_identifier || ':' || oid
FROM pg_control_system(), pg_database
WHERE datname = current_database()"""

# Of the first one the very table is part of it: another schema of the same database may have a table of that name, and
# which one a role means depends on its search_path.
DECIDER = f"SELECT ({IDENTITY}) || '.' || '{TABLE_NAME}'::regclass::oid"

_ANNOUNCE = sa.text(f"""\
INSERT INTO second_database_decisions (name, is_committed)
SELECT 'myapp:' || ({DECIDER}) || ':' || :second || ':' || gen_random_uuid(), true
RETURNING name""")

_REFUSE = sa.text("""\
INSERT INTO second_database_decisions (name, is_committed)
VALUES (:name, false)
ON CONFLICT (name) DO NOTHING""")

_ASK = sa.text("SELECT is_committed FROM second_database_decisions WHERE name = :name")

_FORGET = sa.text("""\
DELETE FROM second_database_decisions
WHERE split_part(name, ':', 4) || ':' || split_part(name, ':', 5) = :second AND name <> ALL(:prepared)""")


class Decision(enum.Enum):
    """What is to become of a prepared transaction; its value is the statement's first word."""

    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"


def identity(connection: Connection) -> str:
    """Return what tells this database from every other one."""
    found: str = connection.exec_driver_sql(IDENTITY).scalar_one()
    return found


def decider(first: Connection) -> str:
    """Return what tells this first database, and the table in it that decides, from every other one."""
    found: str = first.exec_driver_sql(DECIDER).scalar_one()
    return found


def announce(first: Connection, second: str) -> str:
    """Let this transaction of the first database decide about one in the second, given by its identity; name it."""
    name: str = first.execute(_ANNOUNCE, {"second": second}).scalar_one()
    return name


def decide(first: Engine, name: str, *, dry_run: bool = False) -> Decision | None:
    """Return the decision, None while the transaction that is to decide is still under way.

    Where there is no decision, there is one afterwards, and it is no; a dry run leaves none.
    """
    # The answer may be a row committed while this waits, which a stricter isolation would not see.
    unit = Unit(isolation="READ COMMITTED", deadline=deadline.after(QUESTION_SECONDS))
    with first.connect().execution_options(db_unit=unit) as connection:
        try:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {UNDECIDED_MILLISECONDS}")
            connection.execute(_REFUSE, {"name": name})
        except sa.exc.OperationalError as exc:
            if isinstance(exc.orig, psycopg_errors.LockNotAvailable):
                return None
            raise
        is_committed = connection.execute(_ASK, {"name": name}).scalar_one()
        if not dry_run:
            connection.commit()
        return Decision.COMMIT if is_committed else Decision.ROLLBACK


def forget(first: Connection, second: str, prepared: list[str]) -> int:
    """Delete the decisions about the second database that this transaction sees and that nothing there waits for."""
    return first.execute(_FORGET, {"second": second, "prepared": prepared}).rowcount
