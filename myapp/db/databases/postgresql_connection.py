"""A PostgreSQL connection that does not wait for ever.

The server bounds its own work by statement_timeout; nothing bounds a server that has stopped answering (frozen, or cut
off without a word). This connection gives up on it.
"""

from __future__ import annotations

import math
import time
from typing import Any

import psycopg


class PassingCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server that ends with its transaction, read to its end or not."""

    def __del__(self, *_warn: Any) -> None:
        """Say nothing: whoever stops reading lets go of it, and the driver would warn of that."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server says nothing until `answer_by`, on the monotonic clock.

    Raises:
        psycopg.OperationalError: the server was silent until then; the connection is closed.
    """

    answer_by: float = math.inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.server_cursor_factory = PassingCursor

    # Every wait of the driver for the server passes here. The name of its time-out is private, hence pinned; the tests
    # of a silent server would notice.
    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Run the driver's generator for as long as there is time."""
        if self.answer_by == math.inf:
            return super().wait(gen, *args, **options)
        seconds = max(self.answer_by - time.monotonic(), 0.0)
        try:
            return super().wait(gen, *args, **options | {"timeout": seconds})
        except psycopg.errors._WaitTimeout as exc:
            # It may answer yet, to a question nobody asks any more: no use to anyone.
            self.close()
            raise psycopg.OperationalError("the server did not answer in time") from exc
