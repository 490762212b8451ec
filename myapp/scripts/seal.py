"""`myapp seal`: close an epoch of what was recorded, and print what to publish."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from myapp.db import factory
from myapp.db.scope import session_scope
from myapp.ledger import errors, model, sealing
from myapp.scripts import database, keys, numbering, which

DESCRIPTION = """\
Seal what was recorded since the last seal: close one epoch after the other, of up to 4,096 events each, every one a
Merkle tree whose root is chained to the epoch before. Blocks nobody, may be stopped at any time and be run by several
at once. Run it as often as changes should be noticed from, and keep the lines it prints where whoever could change the
database cannot change them.
"""

EPILOG = """\
Prints a line for each new epoch: ledger, its id, epoch, first and last event, time, and the hash to publish. Nothing
new, no line. See docs/tamper-evidence.md.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "seal",
        help="close an epoch of recorded transactions, and print the hash to publish",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which.add_ledgers(parser)
    keys.add_ini(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    code = 0
    with database.opened(options.ini, environ) as opened:
        for ledger in which.ledgers(opened.sessions, options):
            numbering.number_all(opened.sessions, ledger)
            try:
                _seal(opened.sessions, ledger)
            except errors.Unsealable as exc:
                # The other ledgers are sealed all the same.
                print(f"myapp: {exc}", file=sys.stderr)
                code = 1
    return code


def _seal(sessions: factory.Sessions, ledger: model.Ledger) -> None:
    """Seal all of a ledger, an epoch at a time; each is read without a lock, and stored in one statement."""
    while True:
        with session_scope(sessions, readonly=True) as session:
            new = sealing.make_next(session, ledger, now=datetime.now(UTC))
        if new is None:
            return
        with session_scope(sessions) as session:
            is_ours = sealing.store(session, new)
        if is_ours:
            print(_line(ledger, new.seal), flush=True)


def _line(ledger: model.Ledger, seal: sealing.Seal) -> str:
    return (
        f"{ledger.name} {ledger.id} {seal.epoch} {seal.first_seq}-{seal.last_seq} "
        f"{seal.sealed_at:%Y-%m-%dT%H:%M:%SZ} {seal.hash.hex()}"
    )
