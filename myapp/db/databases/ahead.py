"""A cursor that is ahead: the server makes the next rows while those before are used.

The rows of other cursors are all there before the first is used, or are asked for some at a time, and then either the
server waits or the application. These come as they are made. What is underway is bounded: by the network's buffers, and
by the rows that the driver takes together.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator
from typing import Any, cast

import psycopg
from psycopg.pq import TransactionStatus

from myapp.db.databases.postgresql_connection import BoundedConnection, LeadingCursor

# Before libpq 17 the driver takes them one by one.
ROWS_TOGETHER = 100 if psycopg.capabilities.has_stream_chunked() else 1
# How long the server has to end what nobody wants any more; a connection that it does not end is given up.
END_SECONDS = 1.0


class AheadCursor(LeadingCursor):
    """The driver's `stream()`, as a cursor of Python's DB-API.

    Until its rows are read, or it is closed, its connection runs no other statement.
    """

    # All its rows, and those that nobody was given yet.
    _rows: Generator[Any, None, None] | None = None
    _coming: Iterator[Any] = iter(())

    def execute(self, query: Any, params: Any = None, **_options: Any) -> AheadCursor:
        """Run the statement as far as its first row."""
        self._rows = cast("Generator[Any, None, None]", self.stream(query, params, size=ROWS_TOGETHER))
        first = list(itertools.islice(self._rows, 1))
        self._coming = itertools.chain(first, self._rows)
        if not first:
            # Without a row the driver has no columns either, and SQLAlchemy would remember that there are none.
            super().execute(query, params, prepare=False)
            self._coming = iter(super().fetchall())
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(self._coming, None)

    def fetchmany(self, size: int = 0) -> list[Any]:
        """Return the next rows."""
        return list(itertools.islice(self._coming, size or self.arraysize))

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._coming)

    def close(self) -> None:
        """End the statement, wherever it is; the server is asked to, and has a moment."""
        connection = cast(BoundedConnection, self.connection)
        answer_by = connection.answer_by
        try:
            if self._rows is not None and connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                connection.answer_by = min(answer_by, time.monotonic() + END_SECONDS)
                self._rows.close()
        finally:
            connection.answer_by = answer_by
            super().close()
