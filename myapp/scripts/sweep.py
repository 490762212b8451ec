"""`myapp sweep`: give back what holds reserve that have expired."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.orm import Session

from myapp.db import retry
from myapp.db.factory import Sessions
from myapp.db.scope import session_scope
from myapp.ledger import operations, queries
from myapp.ledger.model import Ledger
from myapp.scripts import database, keys

DESCRIPTION = """\
Give back what holds still reserve that have expired. The service refuses to post an expired hold, shows it as expired
and frees what a request is short of, swept or not; sweeping brings the balances up to date. Run it every minute or so,
while the service runs or not; several at once are safe.
"""

LEDGERS_PER_PAGE = 100


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "sweep",
        help="give back what expired holds reserve",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ledger", metavar="NAME", help="only this ledger; all of them, when left out")
    keys.add_ini(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    count = 0
    with database.opened(options.ini, environ) as opened:
        for name in _names(opened.sessions, options.ledger):
            count += _sweep(opened.sessions, name)
    print(f"{count:,} expired {'hold' if count == 1 else 'holds'} swept.")
    return 0


def _sweep(sessions: Sessions, name: str) -> int:
    """Sweep a ledger portion by portion and return how many holds there were."""
    count = 0
    while True:
        swept = retry.run(sessions, partial(_sweep_portion, name=name), owner="myapp sweep")
        count += swept
        if swept < operations.EXPIRED_PORTION:
            return count


def _sweep_portion(session: Session, *, name: str) -> int:
    # Read anew: its period may be closed meanwhile.
    ledger = queries.get_ledger(session, name)
    return operations.expire_holds(session, ledger, now=datetime.now(UTC), limit=operations.EXPIRED_PORTION)


def _names(sessions: Sessions, only: str | None) -> Iterator[str]:
    if only is not None:
        yield only
        return
    after: str | None = None
    while page := _page(sessions, after):
        yield from (ledger.name for ledger in page)
        after = page[-1].name


def _page(sessions: Sessions, after: str | None) -> Sequence[Ledger]:
    with session_scope(sessions, readonly=True) as session:
        return queries.list_ledgers(session, after=after, limit=LEDGERS_PER_PAGE)
