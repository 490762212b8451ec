"""A transaction pooler before PostgreSQL, such as PgBouncer: how to tell that it is there, and what it does not carry.

Nothing of a unit of work lives longer than its transaction: no SET without LOCAL, no advisory lock of a session, no
LISTEN, no temporary table. What is left are the driver's prepared statements, which older poolers do not know.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, ExceptionContext

from myapp.db import errors

# A prepared statement that is not there, or is there already: the server's connection is another one than before.
OF_ANOTHER_CONNECTION = ("26000", "42P05")

CURE = (
    "The connection leads through a pooler that does not know prepared statements. Set db.prepared_statements = off; "
    "PgBouncer knows them from version 1.21 on, with max_prepared_statements."
)


def explain(context: ExceptionContext) -> None:
    """Say in the log, below the error, what is to be done about it."""
    exc = context.sqlalchemy_exception
    if exc is not None and errors.sqlstate(exc) in OF_ANOTHER_CONNECTION:
        exc.add_note(CURE)


def is_between(connection: Connection) -> bool:
    """Say whether the process that serves this connection is another one than was named when it was made."""
    named: int = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    serving: int = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    return serving != named
