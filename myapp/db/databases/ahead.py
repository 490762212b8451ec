"""A cursor that is ahead: the server makes the next rows while those before are used.

The rows of other cursors are all there before the first is used, or are asked for some at a time, and then either the
server waits or the application. These come as they are made. What is underway is bounded: by the network's buffers, and
by the rows that the driver takes together.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from typing import Any, cast

import psycopg

ROWS_TOGETHER = 100


class AheadCursor(psycopg.Cursor[Any]):
    """The driver's `stream()`, as a cursor of Python's DB-API.

    Until its rows are read, or it is closed, its connection runs no other statement.
    """

    # All its rows, and those that nobody was given yet.
    _rows: Generator[Any, None, None]
    _coming: Iterator[Any]

    def execute(self, query: Any, params: Any = None, **_options: Any) -> AheadCursor:
        """Run the statement as far as its first row."""
        self._rows = cast("Generator[Any, None, None]", self.stream(query, params, size=ROWS_TOGETHER))
        first = list(itertools.islice(self._rows, 1))
        self._coming = itertools.chain(first, self._rows)
        return self

    @property
    def description(self) -> list[psycopg.Column] | None:
        """What the columns are; where there is no row, the driver does not tell."""
        return super().description or []

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
        """End the statement, wherever it is."""
        self._rows.close()
        super().close()
