"""`myapp prune`: delete what has served its time, which is the idempotency keys that have expired."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from myapp.db.scope import session_scope
from myapp.ledger import idempotency
from myapp.scripts import database, keys

DESCRIPTION = """\
Delete the idempotency keys that are older than myapp.idempotency_days. The service already takes such a key for one
that was never used; deleting them gives their room back. Run it daily, while the service runs or not.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "prune",
        help="delete idempotency keys that have expired",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    keys.add_ini(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with database.opened(options.ini, environ) as opened, session_scope(opened.sessions) as session:
        days = opened.application.idempotency_days
        count = idempotency.purge(session, expired_before=datetime.now(UTC) - timedelta(days=days))
    print(f"{count:,} idempotency {'key' if count == 1 else 'keys'} deleted, each older than {days} days.")
    return 0
