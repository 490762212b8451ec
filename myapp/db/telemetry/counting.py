"""Count in a test what an application asks its database, and name it where it is too much.

    with count_statements(engine) as statements:
        client.get("/orders")
    statements.require(3)

Counted is what units of work execute; BEGIN, COMMIT and what else the session layer sends are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from myapp.db import unit


class Statements(list[str]):
    """The texts that were executed, in order."""

    def require(self, count: int) -> None:
        """Go on only if there were so many.

        Raises:
            AssertionError: there were more or fewer; the message lists them.
        """
        if len(self) != count:
            listed = "\n".join(f"  {number}. {' '.join(text.split())}" for number, text in enumerate(self, 1))
            raise AssertionError(f"{len(self)} statements were executed, not {count}:\n{listed}")


@contextmanager
def count_statements(engine: Engine) -> Iterator[Statements]:
    """Collect the statements that any unit of work on the engine executes meanwhile."""
    statements = Statements()

    def add(connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
        work = unit.find(connection)
        # See Note [Whose statements] in measuring: this listener comes after the one that counts.
        if work is not None and work.report.depth == 1:
            statements.append(text)

    event.listen(engine, "before_cursor_execute", add)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", add)
