"""Which ledgers a command works on: one by its name, or all."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from myapp.db import factory
from myapp.db.scope import session_scope
from myapp.ledger import model, queries

LEDGERS_AT_ONCE = 1_000


def add_ledgers(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which ledgers."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ledger", metavar="NAME", help="the only ledger to work on")
    which.add_argument("--all", action="store_true", help="work on every ledger, one after the other")


def ledgers(sessions: factory.Sessions, options: argparse.Namespace) -> Iterator[model.Ledger]:
    """Yield the ledgers the options ask for, by name; no session is open meanwhile.

    Raises:
        NotFound: there is no ledger of that name.
    """
    if options.ledger is not None:
        with session_scope(sessions, readonly=True) as session:
            found = queries.get_ledger(session, options.ledger)
        yield found
        return
    after: str | None = None
    while True:
        with session_scope(sessions, readonly=True) as session:
            page = queries.list_ledgers(session, after=after, limit=LEDGERS_AT_ONCE)
        yield from page
        if not page:
            return
        after = page[-1].name
