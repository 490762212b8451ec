"""What `pshell development.ini` opens with: a begun session, the ledger's words, its operations and its queries.

    >>> book = queries.get_ledger(session, "demo")
    >>> queries.list_currencies(session, book, after=None, limit=50)
    >>> session = commit()          # keeps the work and begins anew; leaving the shell without it undoes the work

The session may write. On SQLite it holds the one write lock from its first statement to `commit()` or `undo()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyramid.request import Request

from myapp.db import options
from myapp.db.session import UnitOfWorkSession
from myapp.ledger import model, operations, queries, verify


def setup(environment: dict[str, Any]) -> Iterator[None]:
    """Fill the shell's names; undo on leaving what was not committed."""
    request: Request = environment["request"]
    request.db_options = options.Options(readonly=False)
    # Whoever sits there thinks for as long as it takes.
    request.db_deadline = None

    def begin() -> UnitOfWorkSession:
        request.tm.begin()
        request.__dict__.pop("dbsession", None)
        session: UnitOfWorkSession = request.dbsession
        return session

    def commit() -> UnitOfWorkSession:
        """Keep the work and return a new session."""
        request.tm.commit()
        return begin()

    def undo() -> UnitOfWorkSession:
        """Undo the work and return a new session."""
        request.tm.abort()
        return begin()

    environment.update(
        session=begin(), commit=commit, undo=undo, model=model, operations=operations, queries=queries, verify=verify
    )
    try:
        yield
    finally:
        request.tm.abort()
