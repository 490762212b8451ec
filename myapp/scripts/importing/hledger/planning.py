"""Turn what hledger printed into a plan: pure, and the same for the same print."""

from __future__ import annotations

import decimal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time

from myapp.ledger import currencies as ledger_currencies
from myapp.ledger import model
from myapp.scripts.importing import chart as beancount_chart
from myapp.scripts.importing import contract, own, references
from myapp.scripts.importing.hledger import amounts, chart, printed, tags, words
from myapp.scripts.importing.plan import EXACT, JournalError, Note, Plan, PlannedAccount, PlannedTransaction

PREFIX = "hledger:"


def plan(transactions: Sequence[printed.Transaction], *, chosen_digits: Mapping[str, int], may_round: bool) -> Plan:
    """Return what the journal asks of a ledger.

    Raises:
        JournalError: something in it has no place in a ledger; each problem names its line.
    """
    with decimal.localcontext(EXACT):
        if problems := [note for each in transactions if (note := _problem(each)) is not None]:
            raise JournalError(problems)
        opened = chart.read(transactions)
        if opened.problems:
            raise JournalError(opened.problems)
        currencies = amounts.planned(transactions, chosen_digits)
        exponents = {each.currency.code: each.currency.exponent for each in currencies}
        drafted = _Transactions(transactions, exponents, opened.paths, may_round=may_round)
    notes = [*opened.notes, *drafted.notes]
    known = {*exponents, *ledger_currencies.iso_exponents()}
    accounts = [_tied_to_known(each, known, notes) for each in opened.accounts.values()]
    trading = [
        each for each in beancount_chart.trading_accounts(drafted.planned) if each.account.path not in opened.taken
    ]
    made = Plan(
        currencies=currencies,
        accounts=[*accounts, *trading],
        transactions=drafted.planned,
        assertions=[],
        notes=notes,
        left_out=drafted.left_out,
        reference_prefix=PREFIX,
    )
    if problems := [*drafted.too_fine, *contract.beyond(made)]:
        raise JournalError(problems)
    return made


class _Transactions:
    """The planned transactions, and what is to be said about them."""

    def __init__(
        self,
        transactions: Sequence[printed.Transaction],
        exponents: Mapping[str, int],
        paths: Mapping[str, str],
        *,
        may_round: bool,
    ) -> None:
        self._converter = amounts.Converter(exponents, paths, may_round=may_round)
        self._namer = references.Namer(PREFIX)
        self._lost: list[Note] = []
        self.left_out: Counter[str] = Counter()
        self.planned = [made for each in transactions if (made := self._plan(each)) is not None]
        self.notes = [*self._converter.rounded, *self._lost]
        self.too_fine = self._converter.too_fine

    def _plan(self, transaction: printed.Transaction) -> PlannedTransaction | None:
        place, postings = transaction.place, transaction.tpostings
        found = list(amounts.written(transaction))
        self.left_out["lines of zero"] += sum(
            1 for posting in postings if not any(each.posting is posting for each in found)
        )
        self.left_out["balance assertions"] += sum(1 for each in postings if each.pbalanceassertion is not None)
        lines, of_lines = self._converter.convert(transaction, found)
        if not lines:
            self.left_out["transactions of zero"] += 1
            self._lost.append(Note(place=place, text="moves nothing and is left out"))
            return None
        noted = own.read(tags.noted(transaction.ttags))
        fitted = words.of_transaction(transaction, of_lines, noted)
        self._lost += (Note(place=place, text=text) for text in fitted.lost)
        effective_at = noted.effective_at(_day(transaction))
        reference = noted.reference
        if reference is None:
            reference = self._namer.name(effective_at, lines, fitted.description, fitted.metadata)
        wanted = model.NewTransaction(
            postings=lines,
            reference=reference,
            description=fitted.description,
            effective_at=effective_at,
            metadata=fitted.metadata,
        )
        return PlannedTransaction(place=place, wanted=wanted, effective_at=effective_at)


def _problem(transaction: printed.Transaction) -> Note | None:
    """Return why a transaction cannot be recorded."""
    place = transaction.place
    for posting in transaction.tpostings:
        if posting.ptype == "VirtualPosting":
            text = f"({posting.paccount}) is a virtual posting, which nothing balances; docs/import.md takes such out"
            return Note(place=place, text=text)
    try:
        noted = own.read(tags.noted(transaction.ttags))
        noted.metadata(), noted.effective_at(_day(transaction))
        left = amounts.unbalanced(list(amounts.written(transaction)))
    except ValueError as exc:
        return Note(place=place, text=f"cannot read what an export noted: {exc}")
    if left:
        over = ", ".join(f"{number:f} {code}" for code, number in left.items())
        return Note(place=place, text=f"does not balance: {over} is left over")
    return None


def _day(transaction: printed.Transaction) -> datetime:
    return datetime.combine(transaction.tdate, time.min, tzinfo=UTC)


def _tied_to_known(planned: PlannedAccount, known: set[str], notes: list[Note]) -> PlannedAccount:
    """Return the account without what it says of currencies that nothing is in: hledger does not print their digits."""
    account = planned.account
    limits = {code: ends for code, ends in planned.limits.items() if code in known}
    if unknown := sorted({*(account.currencies or ()), *planned.limits} - known):
        text = f"{account.path}: nothing is in {', '.join(unknown)}, so that nothing is said of it in the ledger"
        notes.append(Note(place=planned.place, text=text))
    if account.currencies is not None and not known.issuperset(account.currencies):
        account = replace(account, currencies=None)
    return replace(planned, account=account, limits=limits)
