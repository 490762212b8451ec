"""Bring a ledger's currencies and accounts to what a plan needs; what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from myapp import errors
from myapp.ledger import model
from myapp.scripts.importing.destination import CLOSED_KEY, Destination, Known
from myapp.scripts.importing.plan import JournalError, Note, PlannedAccount, PlannedCurrency, PlannedTransaction


def declare_currencies(wanted: Sequence[PlannedCurrency], destination: Destination) -> int:
    """Declare the currencies that are missing and return how many.

    Raises:
        JournalError: the ledger has one with fewer digits than the journal needs.
    """
    known = destination.exponents([each.currency.code for each in wanted])
    missing = [each.currency for each in wanted if each.currency.code not in known]
    too_fine = [
        Note(
            place=each.place,
            text=f"{(code := each.currency.code)} has {known[code]} decimal digits in this ledger for good, and "
            f"{each.currency.exponent} in the journal: use a new ledger, or --digits {code}={known[code]} --round",
        )
        for each in wanted
        if each.currency.exponent > known.get(each.currency.code, each.currency.exponent)
    ]
    if too_fine:
        raise JournalError(too_fine)
    for each in wanted:
        if each.currency in missing or (each.is_declared and known[each.currency.code] == each.currency.exponent):
            destination.declare(each.currency)
    return len(missing)


def open_accounts(wanted: Sequence[PlannedAccount], destination: Destination, known: Mapping[str, Known]) -> int:
    """Open the accounts that are missing and return how many.

    Raises:
        JournalError: an account is of another type in the ledger, or the ledger refuses it.
    """
    problems = [
        Note(place=each.place, text=f"{path} is of type {known[path].type} in this ledger, not {each.account.type}")
        for each in wanted
        if (path := each.account.path) in known and known[path].type is not each.account.type
    ]
    if problems:
        raise JournalError(problems)
    missing = [each for each in wanted if each.account.path not in known]
    for each in missing:
        try:
            destination.open_account(each.account)
        except errors.MyappError as exc:
            raise JournalError([Note(place=each.place, text=str(exc))]) from exc
    return len(missing)


def reopen_accounts(
    new: Sequence[PlannedTransaction], destination: Destination, known: Mapping[str, Known]
) -> Collection[str]:
    """Open the accounts again that an earlier import closed and that take more postings now; return their paths.

    An account that someone else closed stays closed, and the ledger refuses its postings.
    """
    posted = {posting.account for each in new for posting in each.wanted.postings}
    reopened = sorted(path for path in posted if path in known and known[path].closed_by_import)
    for path in reopened:
        destination.change_account(path, model.AccountChange(closed=False))
    return reopened


def limit_accounts(wanted: Sequence[PlannedAccount], destination: Destination, known: Mapping[str, Known]) -> None:
    """Set the limits in those currencies in which an account that is there has none.

    Raises:
        JournalError: the ledger refuses them, since the balance is outside.
    """
    for each in wanted:
        limited = known[each.account.path].limited if each.account.path in known else ()
        missing = {code: limits for code, limits in each.limits.items() if code not in limited}
        if missing:
            try:
                destination.change_account(each.account.path, model.AccountChange(limits=missing))
            except errors.MyappError as exc:
                raise JournalError([Note(place=each.place, text=str(exc))]) from exc


def close_accounts(
    wanted: Sequence[PlannedAccount], destination: Destination, known: Mapping[str, Known], reopened: Collection[str]
) -> int:
    """Close what the journal closes and return how many; the journal's date is kept in the metadata."""
    closing = [
        each
        for each in wanted
        if each.closes
        and not (each.account.path in known and known[each.account.path].closed and each.account.path not in reopened)
    ]
    for each in closing:
        path = each.account.path
        before = known[path].metadata if path in known else each.account.metadata
        # An account of our own export closes as it is.
        day = each.account.metadata.get(CLOSED_KEY)
        metadata = None if day is None else {**before, CLOSED_KEY: day}
        destination.change_account(path, model.AccountChange(closed=True, metadata=metadata))
    return len(closing)
