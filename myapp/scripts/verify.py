"""`myapp verify`: check that a ledger holds together, while the service runs."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from myapp.db import factory
from myapp.db.scope import session_scope
from myapp.ledger import model, verify
from myapp.scripts import database, keys, numbering, which

# For what is read in one unit of work: an account at least, which may have most of a ledger's postings.
PORTION_SECONDS = 3_600.0

HOLDS = 0
VIOLATED = 1

DESCRIPTION = """\
Check everything that must hold in a ledger, and that what was sealed is unchanged. Reads in short units of work, so
nobody waits for it. With --incremental only what was recorded since the last run that found all well, which takes as
long as there is new; changes of older records are not seen then.
"""

EPILOG = """\
Exit codes: 0, all holds; 1, something does not, and is said; 2, the database is not there.
Run --incremental every few minutes and the whole every night. What each check means: docs/ledger.md, "Invariants".
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "verify",
        help="check that a ledger holds together",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which.add_ledgers(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", dest="incremental", action="store_false", help="everything; the default")
    how.add_argument("--incremental", action="store_true", help="only what was recorded since it last held")
    parser.add_argument("--json", action="store_true", help="print one JSON object a ledger, on a line of its own")
    parser.add_argument("--progress", action="store_true", help="say on the error output how far it is")
    keys.add_ini(parser)
    parser.set_defaults(run=_run, incremental=False)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    code = HOLDS
    with database.opened(options.ini, environ) as opened:
        for ledger in which.ledgers(opened.sessions, options):
            numbering.number_all(opened.sessions, ledger)
            verifying = _verify_new if options.incremental else _verify_all
            scope, checks = verifying(opened.sessions, ledger, is_loud=options.progress)
            show = _print_json if options.json else _print
            show(ledger, scope, checks)
            if not all(check.holds for check in checks):
                code = VIOLATED
    return code


def _verify_all(
    sessions: factory.Sessions, ledger: model.Ledger, *, is_loud: bool
) -> tuple[tuple[int, int], Sequence[verify.Check]]:
    reading = _reading(sessions)
    with reading() as session:
        newest = verify.newest_checkpoint(session, ledger)

    def progress(name: str, portion: int) -> None:
        if is_loud:
            print(f"{ledger.name}: {name}, portion {portion}", file=sys.stderr)

    checks = list(verify.verify_in_portions(reading, ledger, progress=progress))
    if newest.last_seq and all(check.holds for check in checks):
        with session_scope(sessions) as session:
            verify.save_checkpoint(session, ledger, newest, now=datetime.now(UTC))
    return (1, newest.last_seq), checks


def _reading(sessions: factory.Sessions) -> Callable[[], AbstractContextManager[Session]]:
    return functools.partial(
        session_scope, sessions, readonly=True, isolation="REPEATABLE READ", timeout_seconds=PORTION_SECONDS
    )


def _verify_new(
    sessions: factory.Sessions, ledger: model.Ledger, *, is_loud: bool
) -> tuple[tuple[int, int], Sequence[verify.Check]]:
    def progress(seq: int) -> None:
        if is_loud:
            print(f"{ledger.name}: up to event {seq}", file=sys.stderr)

    run = verify.verify_new(
        _reading(sessions),
        functools.partial(session_scope, sessions),
        ledger,
        now=datetime.now(UTC),
        progress=progress,
    )
    return (run.start.last_seq + 1, run.reached.last_seq), run.checks


def _print(ledger: model.Ledger, scope: tuple[int, int], checks: Sequence[verify.Check]) -> None:
    broken = [check for check in checks if not check.holds]
    verdict = f"{len(broken)} of {len(checks)} checks do NOT hold" if broken else f"holds, by {len(checks)} checks"
    first, last = scope
    print(f"{ledger.name}: {verdict}; " + (f"events {first} to {last}" if last >= first else "no new events"))
    for check in broken:
        print(f"  {check.name}")
        for violation in check.violations:
            print(f"    {violation}")


def _print_json(ledger: model.Ledger, scope: tuple[int, int], checks: Sequence[verify.Check]) -> None:
    shown = {
        "ledger": ledger.name,
        "holds": all(check.holds for check in checks),
        "first_seq": scope[0],
        "last_seq": scope[1],
        "checks": [
            {
                "name": check.name,
                "holds": check.holds,
                "compared": dict(check.compared),
                "violations": list(check.violations),
            }
            for check in checks
        ],
    }
    print(json.dumps(shown, ensure_ascii=False), flush=True)
