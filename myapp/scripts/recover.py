"""`myapp database recover`: finish what a crash left prepared in the second database."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from myapp.db.two_databases import recovery
from myapp.db.two_databases.recovery import Outcome
from myapp.scripts import database, keys

DESCRIPTION = """\
Find the transactions that are prepared in the second database (sqlalchemy.second_url), which hold their locks until
they are finished, and finish each as the first database decided. May run at any time, beside running servers. Also
deletes the decisions that nothing waits for any more; run it daily, and after a crash.
"""

EPILOG = """\
Exit codes: 0, nothing of this first database is left prepared; 1, something is, since the second database refused, or
since the transaction that decides is still under way (run it again when that is over); 2, a database is not there.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of this group."""
    group = groups.add_parser("database", help="finish what a crash left prepared in a second database")
    commands = group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "recover",
        help="finish what is prepared in the second database as the first one decided",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    keys.add_ini(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with database.two_opened(options.ini, environ) as (first, second):
        recovery.require(first, second)
        found = []
        for each in recovery.recover(first, second, dry_run=options.dry_run):
            found.append(each)
            print(f"{each.transaction.name}  prepared {each.transaction.prepared_at:%Y-%m-%d %H:%M:%S}  {each.outcome}")
        forgotten = 0 if options.dry_run else recovery.forget(first, second)
    unfinished = any(each.outcome in (Outcome.UNDECIDED, Outcome.FAILED) for each in found)
    finished = sum(each.outcome in (Outcome.COMMITTED, Outcome.ROLLED_BACK) for each in found)
    done = "would be finished" if options.dry_run else "finished"
    print(f"{len(found)} prepared, {finished} {done}, {len(found) - finished} left; {forgotten} decisions deleted.")
    return 1 if unfinished else 0
