"""Turn a journal's entries into a plan: pure, and the same for the same journal.

Dates become the first instants of their days in UTC. Transactions of zero, and lines of zero, are left out and counted.
"""

from __future__ import annotations

import decimal
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time

from beancount.core import data
from beancount.ops import balance

from myapp.ledger import model
from myapp.ledger import words as grammar
from myapp.scripts.importing import chart, digits, lines, reading, references, words
from myapp.scripts.importing.plan import Assertion, JournalError, Note, Place, Plan, PlannedTransaction

LEFT_OUT = {
    data.Price: "prices",
    data.Commodity: "commodity descriptions",
    data.Event: "events",
    data.Note: "notes",
    data.Document: "documents",
    data.Query: "queries",
    data.Custom: "custom directives",
}

# What the HTTP contract can say.
YEARS = range(1000, 9999)

# Wide enough for any number a journal may write, so that no sum is rounded in passing.
EXACT = decimal.Context(prec=200)


def plan(journal: reading.Journal, *, chosen_digits: Mapping[str, int], may_round: bool) -> Plan:
    """Return what the journal asks of a ledger.

    Raises:
        JournalError: something in it has no place in a ledger; each problem names its line.
    """
    with decimal.localcontext(EXACT):
        currencies = digits.currencies(journal.entries, chosen_digits)
        exponents = {each.currency.code: each.currency.exponent for each in currencies}
        drafted = _Transactions(journal, exponents, may_round=may_round)
    notes = drafted.notes
    accounts = [*chart.accounts(journal, exponents, notes), *chart.trading_accounts(drafted.planned)]
    left_out = Counter(LEFT_OUT[type(entry)] for entry in journal.entries if type(entry) in LEFT_OUT)
    made = Plan(
        currencies=currencies,
        accounts=accounts,
        transactions=drafted.planned,
        assertions=list(_assertions(journal)),
        notes=notes,
        left_out=left_out + drafted.empty,
    )
    if problems := [*drafted.too_fine, *_beyond_contract(made)]:
        raise JournalError(problems)
    return made


class _Transactions:
    """The planned transactions, and what is to be said about them."""

    def __init__(self, journal: reading.Journal, exponents: Mapping[str, int], *, may_round: bool) -> None:
        entries = [entry for entry in journal.entries if isinstance(entry, data.Transaction)]
        names = {posting.account for entry in entries for posting in entry.postings}
        paths = {name: chart.path_of(name, journal.options) for name in names}
        self._converter = lines.Converter(exponents, paths, may_round=may_round)
        self._namer = references.Namer()
        self._words_lost: list[Note] = []
        self.empty: Counter[str] = Counter()
        self.planned = [planned for entry in entries for planned in self._plan(entry)]
        self.notes = [*self._converter.rounded, *self._words_lost]
        self.too_fine = self._converter.too_fine

    def _plan(self, entry: data.Transaction) -> Iterator[PlannedTransaction]:
        place = reading.place_of(entry.meta)
        converted = self._converter.convert(entry)
        self.empty["lines of zero"] += converted.zeros
        if not converted.postings:
            self.empty["transactions of zero"] += 1
            self._words_lost.append(Note(place=place, text="moves nothing and is left out"))
            return
        fitted = words.of_transaction(entry, converted.written)
        self._words_lost += (Note(place=place, text=text) for text in fitted.lost)
        effective_at = datetime.combine(entry.date, time.min, tzinfo=UTC)
        wanted = model.NewTransaction(
            postings=converted.postings,
            reference=self._namer.name(effective_at, converted.postings, fitted.description, fitted.metadata),
            description=fitted.description,
            effective_at=effective_at,
            metadata=fitted.metadata,
        )
        yield PlannedTransaction(place=place, wanted=wanted, effective_at=effective_at)


def _assertions(journal: reading.Journal) -> Iterator[Assertion]:
    for entry in journal.entries:
        if isinstance(entry, data.Balance):
            place = reading.place_of(entry.meta)
            expected, currency = reading.amount_of(entry.amount)
            yield Assertion(
                place=place,
                path=chart.path_of(entry.account, journal.options),
                currency=currency,
                date=entry.date,
                expected=expected,
                tolerance=balance.get_balance_tolerance(entry, journal.options),  # type: ignore[no-untyped-call]
                fails_in_journal=place in journal.failed,
            )


def _beyond_contract(made: Plan) -> Iterator[Note]:
    """Yield what the HTTP contract could not name or hold, wherever the journal is loaded."""
    for currency in made.currencies:
        if not re.fullmatch(grammar.CURRENCY_CODE, currency.currency.code):
            yield _note(currency.place, f"{currency.currency.code}: a currency is 1 to 24 capitals, digits or '._-")
    for account in made.accounts:
        if len(account.account.path) > grammar.PATH_LENGTH_MAX:
            text = f"{account.account.path}: a path has at most {grammar.PATH_LENGTH_MAX} characters"
            yield _note(account.place, text)
    for transaction in made.transactions:
        if len(transaction.wanted.postings) > model.POSTINGS_MAX:
            yield _note(transaction.place, f"a transaction has at most {model.POSTINGS_MAX} postings")
        if transaction.effective_at.year not in YEARS:
            yield _note(transaction.place, f"a transaction's year is from {YEARS.start} to {YEARS.stop - 1}")


def _note(place: Place, text: str) -> Note:
    return Note(place=place, text=text)
