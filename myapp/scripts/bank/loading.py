"""Load statements into a ledger: all lines of a file in the one unit of work of the session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import bank, errors, model, queries, recording
from myapp.scripts.bank import checking
from myapp.scripts.bank.statements import Entry, Problem, Statement, StatementError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a file goes; without a clearing account the books record on the bank account directly.

    With `late`, what is of a closed period counts from now.
    """

    ledger: str
    account: str
    clearing: str | None
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an import did."""

    recorded: int
    known: int
    left_out: Mapping[str, int]
    repeated_ids: Mapping[str, int]
    checks: Sequence[checking.Check]
    exponents: Mapping[str, int]


def choose(statements: Sequence[Statement], number: str | None, *, file: str) -> Sequence[Statement]:
    """Return the statements of one account of the bank: the one with this number, or the only one there is.

    Raises:
        StatementError: there are several, or none of that number.
    """
    numbers = sorted({each.number or "one without a number" for each in statements})
    if number is None and len(numbers) > 1:
        text = f"is about {len(numbers)} accounts; name one with --number: {', '.join(numbers)}"
        raise StatementError(file, [Problem(line=0, text=text)])
    chosen = [each for each in statements if number in (None, each.number)]
    if not chosen:
        text = f"has no statement of {number}; it is about {', '.join(numbers) or 'no account'}"
        raise StatementError(file, [Problem(line=0, text=text)])
    return chosen


def load(
    session: Session,
    statements: Sequence[Statement],
    target: Target,
    *,
    file: str,
    dry_run: bool,
    now: datetime,
    form: recording.Form,
) -> Outcome:
    """Take over what is new in the statements, and compare the balances afterwards; of a dry run nothing stays.

    Raises:
        StatementError: the ledger refuses a line.
        NotFound, UnknownAccount: there is no such ledger or account.
    """
    ledger = queries.get_ledger(session, target.ledger)
    entries = [entry for each in statements for entry in each.entries]
    with scope.discarded(session) if dry_run else nullcontext():
        imported = _import(session, ledger, entries, target, file=file, now=now, form=form)
        codes = {balance.currency for each in statements for balance in (each.opening, each.closing) if balance}
        exponents = queries.exponents(session, ledger, codes | {entry.line.currency for entry in entries})

        def held(currency: str, day: date) -> Decimal:
            net = bank.net_before(session, ledger, target.account, currency, day)
            return Decimal(net).scaleb(-exponents.get(currency, 0))

        checks = checking.check(statements, held)
    left_out: Counter[str] = Counter()
    for each in statements:
        left_out.update(each.left_out)
    return Outcome(
        recorded=len(imported.recorded),
        known=len(imported.known),
        left_out={name: count for name, count in sorted(left_out.items()) if count},
        repeated_ids=_repeated_ids(entries),
        checks=checks,
        exponents=exponents,
    )


def _import(
    session: Session,
    ledger: model.Ledger,
    entries: Sequence[Entry],
    target: Target,
    *,
    file: str,
    now: datetime,
    form: recording.Form,
) -> bank.Imported:
    try:
        return bank.import_lines(
            session,
            ledger,
            target.account,
            clearing=target.clearing,
            lines=[entry.line for entry in entries],
            late=target.late,
            now=now,
            form=form,
        )
    except errors.Refusal as exc:
        if exc.index is None:
            raise
        raise StatementError(file, [Problem(line=entries[exc.index].place, text=str(exc))]) from exc


def _repeated_ids(entries: Sequence[Entry]) -> Mapping[str, int]:
    """Return the bank's own ids that it has given to several lines of a statement."""
    counted = Counter((entry.line.statement, entry.line.bank_id) for entry in entries if entry.line.bank_id)
    return {str(bank_id): count for (_, bank_id), count in counted.items() if count > 1}
