"""`myapp bank`: take over statements, match their lines, and decide about those that are open."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from myapp.scripts.bank import deciding, files, loading, report, work

DESCRIPTION = """\
Take over the lines of a bank's file, each once: what an earlier file had is recognised. With --clearing each line
becomes a transaction between the bank account and the clearing account; without, it is kept as a line to be matched
with what the books record on the bank account itself. All lines of a file are one unit of work.
"""
EPILOG = """\
Exit codes: 0 done, and the balances that the bank states are those of the books; 1 refused, and nothing was recorded,
or done and a balance differs, as the report says; 2 could not start. docs/bank.md has a worked example.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of this group."""
    group = groups.add_parser("bank", help="take over bank statements and match their lines")
    commands = group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_import(commands)
    deciding.add_to(commands)


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="take over the lines of a statement",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="what the bank gave: CSV, OFX or camt.053")
    work.add_ledger(parser)
    work.add_account(parser)
    parser.add_argument("--clearing", metavar="PATH", help="the account between the bank and the rest of the books")
    parser.add_argument("--format", type=files.Format, choices=[*files.Format], help="by what the file looks like")
    parser.add_argument("--mapping", type=Path, metavar="TOML", help="what the columns of a CSV file mean")
    parser.add_argument("--number", metavar="IBAN", help="the account's number, where the file is about several")
    parser.add_argument("--late", action="store_true", help="let lines of a closed period count from now")
    parser.add_argument("--dry-run", action="store_true", help="do and report all of it, and keep nothing")
    parser.set_defaults(run=_import)


def _import(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    file = str(options.file)
    read = files.read(options.file, format=options.format, mapping_path=options.mapping)
    chosen = loading.choose(read, options.number, file=file)
    target = loading.Target(
        ledger=options.ledger, account=options.account, clearing=options.clearing, late=options.late
    )
    with work.at_work(options, environ) as at:
        outcome = loading.load(at.session, chosen, target, file=file, dry_run=options.dry_run, now=at.now, form=at.form)
    print("\n".join(report.lines(file, target, outcome, dry_run=options.dry_run)))
    return 1 if report.differs(outcome.checks) else 0
