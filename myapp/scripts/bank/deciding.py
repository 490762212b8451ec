"""`myapp bank match`, `report`, `accept` and `reject`: what becomes of the lines that were taken over."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger import bank, model, queries
from myapp.scripts.bank import listing, work

PAGE_SIZE = 1_000
SCORE_MIN = 80

NOTHING_NAMED = "name a LINE as `myapp bank report` shows it, or all of an account: --all --account PATH"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    _add_match(commands)
    _add_report(commands)
    _add_accept(commands)
    _add_reject(commands)


def _add_match(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("match", help="match the lines without a match, and report")
    work.add_ledger(parser)
    work.add_account(parser)
    parser.add_argument(
        "--days", type=_days, default=bank.DAYS, metavar="N", help=f"how far apart the two may be ({bank.DAYS})"
    )
    parser.set_defaults(run=_match)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="list matched, proposed and open lines, with totals")
    work.add_ledger(parser)
    work.add_account(parser)
    parser.add_argument("--state", type=bank.State, choices=[*bank.State], help="only the lines in this state")
    parser.add_argument("--format", type=listing.Form, choices=[*listing.Form], default=listing.Form.TEXT)
    parser.set_defaults(run=_report)


def _add_accept(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("accept", help="accept what is proposed, or record what is missing")
    parser.add_argument("line", type=UUID, nargs="?", metavar="LINE", help="as `myapp bank report` shows it")
    work.add_ledger(parser)
    work.add_account(parser, required=False)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--transaction", type=UUID, metavar="ID", help="the one that is meant, proposed or not")
    which.add_argument("--to", metavar="PATH", help="record the missing transaction, with this as the other account")
    which.add_argument("--all", action="store_true", help="every line of --account with one proposal and a good score")
    parser.add_argument("--late", action="store_true", help="with --to: let it count from now, since its day is closed")
    parser.add_argument("--score", type=int, default=SCORE_MIN, metavar="N", help=f"what is good ({SCORE_MIN})")
    parser.set_defaults(run=_accept)


def _add_reject(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("reject", help="drop proposals, or a match, for good")
    parser.add_argument("line", type=UUID, metavar="LINE", help="as `myapp bank report` shows it")
    work.add_ledger(parser)
    parser.add_argument("--transaction", type=UUID, metavar="ID", help="the only one to reject")
    parser.set_defaults(run=_reject)


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) > bank.DAYS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to {bank.DAYS_MAX}")
    return int(text)


def _match(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with work.at_work(options, environ) as at:
        ledger = queries.get_ledger(at.session, options.ledger)
        run = bank.match(at.session, ledger, options.account, days=options.days, now=at.now)
        report = _read_report(at.session, ledger, options.account, None)
    reopened = f", {run.reopened:,} opened again because their match was reversed" if run.reopened else ""
    print(f"Matched {run.matched:,}, proposed {run.proposed:,}, open {run.open:,}{reopened}.")
    # What is matched is done with; the report lists it all.
    unmatched = [line for line in report.lines if line.state is not bank.State.MATCHED]
    shown = listing.Report(account=report.account, totals=report.totals, lines=unmatched, exponents=report.exponents)
    print(listing.write(shown, listing.Form.TEXT))
    return 0


def _report(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with work.at_work(options, environ, readonly=True) as at:
        ledger = queries.get_ledger(at.session, options.ledger)
        report = _read_report(at.session, ledger, options.account, options.state)
    print(listing.write(report, options.format))
    return 0


def _accept(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if (options.line is None) != options.all or (options.all and options.account is None):
        raise work.Usage(NOTHING_NAMED)
    if options.late and options.to is None:
        raise work.Usage("--late goes with --to")
    with work.at_work(options, environ) as at:
        ledger = queries.get_ledger(at.session, options.ledger)
        if options.all:
            accepted = _accept_all(at, ledger, options.account, options.score)
        elif options.to is not None:
            accepted = [_record(at, ledger, options.line, to=options.to, late=options.late)]
        else:
            transaction_id = options.transaction
            accepted = [bank.accept(at.session, ledger, options.line, transaction_id=transaction_id, now=at.now)]
    for line in accepted:
        print(f"{line.booked_on}  {line.id}  {_outcome(line)}")
    print(f"{len(accepted):,} matched.")
    return 0


def _reject(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with work.at_work(options, environ) as at:
        ledger = queries.get_ledger(at.session, options.ledger)
        line = bank.reject(at.session, ledger, options.line, transaction_id=options.transaction, now=at.now)
    print(f"{line.booked_on}  {line.id}  {_outcome(line)}")
    return 0


def _record(at: work.Work, ledger: model.Ledger, line_id: UUID, *, to: str, late: bool) -> bank.Line:
    counts_at = at.now if late else None
    return bank.record_missing(at.session, ledger, line_id, to=to, effective_at=counts_at, now=at.now, form=at.form)


def _accept_all(at: work.Work, ledger: model.Ledger, account: str, score: int) -> list[bank.Line]:
    """Accept each line that has one proposal only, of at least this score: all or none."""
    proposed = _read_lines(at.session, ledger, account, bank.State.PROPOSED)
    good = [line for line in proposed if len(line.proposals) == 1 and line.proposals[0].score >= score]
    claimed = [line.proposals[0].transaction_id for line in good]
    certain = [line for line in good if claimed.count(line.proposals[0].transaction_id) == 1]
    return [bank.accept(at.session, ledger, line.id, now=at.now) for line in certain]


def _read_report(session: Session, ledger: model.Ledger, account: str, state: bank.State | None) -> listing.Report:
    totals = bank.total_lines(session, ledger, account)
    lines = _read_lines(session, ledger, account, state)
    exponents = queries.exponents(session, ledger, {each.currency for each in totals})
    return listing.Report(account=account, totals=totals, lines=lines, exponents=exponents)


def _read_lines(session: Session, ledger: model.Ledger, account: str, state: bank.State | None) -> list[bank.Line]:
    lines: list[bank.Line] = []
    after = None
    while page := bank.list_lines(session, ledger, account, state=state, after=after, limit=PAGE_SIZE):
        lines += page
        after = bank.LinePosition(page[-1].booked_on, page[-1].id)
    return lines


def _outcome(line: bank.Line) -> str:
    if line.match is not None:
        return f"matched with {line.match.transaction_id}"
    return f"{line.state}, {len(line.proposals)} proposed" if line.proposals else line.state.value
