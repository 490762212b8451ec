"""Turn a journal's entries into a plan: pure, and the same for the same journal.

Dates become the first instants of their days in UTC. Transactions of zero, and lines of zero, are left out and counted.
"""

from __future__ import annotations

import decimal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time

from beancount.core import data
from beancount.ops import balance

from myapp.ledger import model
from myapp.scripts.importing import chart, contract, digits, lines, own, pricing, reading, references, words
from myapp.scripts.importing.plan import (
    EXACT,
    Assertion,
    JournalError,
    Note,
    Place,
    Plan,
    PlannedCurrency,
    PlannedPrice,
    PlannedTransaction,
)

LEFT_OUT = {
    data.Commodity: "commodity descriptions",
    data.Event: "events",
    data.Note: "notes",
    data.Document: "documents",
    data.Query: "queries",
    data.Custom: "custom directives",
}


def plan(journal: reading.Journal, *, chosen_digits: Mapping[str, int], may_round: bool) -> Plan:
    """Return what the journal asks of a ledger.

    Raises:
        JournalError: something in it has no place in a ledger; each problem names its line.
    """
    _require_readable_notes(journal)
    codes = digits.codes(journal.entries)
    with decimal.localcontext(EXACT):
        currencies = [_under_its_code(each, codes) for each in digits.currencies(journal.entries, chosen_digits)]
        by_code = {each.currency.code: each.currency.exponent for each in currencies}
        exponents = {**by_code, **{name: by_code[code] for name, code in codes.items() if code in by_code}}
        drafted = _Transactions(journal, exponents, codes, may_round=may_round)
    notes = drafted.notes
    opened = list(chart.accounts(journal, codes, by_code, notes))
    paths = {each.account.path for each in opened}
    trading = [each for each in chart.trading_accounts(drafted.planned) if each.account.path not in paths]
    left_out = Counter(LEFT_OUT[type(entry)] for entry in journal.entries if _is_left_out(entry))
    made = Plan(
        currencies=currencies,
        accounts=[*opened, *trading],
        transactions=drafted.planned,
        assertions=list(_assertions(journal, codes)),
        notes=notes,
        left_out=left_out + drafted.empty,
    )
    if problems := [*drafted.too_fine, *contract.beyond(made)]:
        raise JournalError(problems)
    return pricing.added(made, _prices(journal, codes))


class _Transactions:
    """The planned transactions, and what is to be said about them."""

    def __init__(
        self, journal: reading.Journal, exponents: Mapping[str, int], codes: Mapping[str, str], *, may_round: bool
    ) -> None:
        entries = [entry for entry in journal.entries if isinstance(entry, data.Transaction)]
        self._converter = lines.Converter(exponents, chart.paths(journal), codes=codes, may_round=may_round)
        self._is_own = any(own.read(entry.meta).path for entry in journal.entries if isinstance(entry, data.Open))
        self._namer = references.Namer()
        self._words_lost: list[Note] = []
        self.empty: Counter[str] = Counter()
        self.planned = [planned for entry in entries for planned in self._plan(entry)]
        self.notes = [*self._converter.rounded, *self._words_lost]
        self.too_fine = self._converter.too_fine

    def _plan(self, entry: data.Transaction) -> Iterator[PlannedTransaction]:
        place = reading.place_of(entry.meta)
        if self._is_own:
            entry = entry._replace(postings=_as_written(entry.postings))
        converted = self._converter.convert(entry)
        self.empty["lines of zero"] += converted.zeros
        if not converted.postings:
            self.empty["transactions of zero"] += 1
            self._words_lost.append(Note(place=place, text="moves nothing and is left out"))
            return
        noted = own.read(entry.meta)
        fitted = words.of_transaction(entry, converted.written, noted)
        self._words_lost += (Note(place=place, text=text) for text in fitted.lost)
        effective_at = noted.effective_at(_midnight(entry))
        reference = noted.reference
        if reference is None:
            reference = self._namer.name(effective_at, converted.postings, fitted.description, fitted.metadata)
        wanted = model.NewTransaction(
            postings=converted.postings,
            reference=reference,
            description=fitted.description,
            effective_at=effective_at,
            metadata=fitted.metadata,
        )
        yield PlannedTransaction(place=place, wanted=wanted, effective_at=effective_at)


def _as_written(postings: Sequence[data.Posting]) -> list[data.Posting]:
    """Return them in the journal's order, which Beancount changes where there are several currencies.

    Only for what we exported: other journals have been loaded in Beancount's order, and would seem changed.
    """
    return sorted(postings, key=lambda posting: reading.place_of(posting.meta).line)


def _require_readable_notes(journal: reading.Journal) -> None:
    """Refuse what an export of our own noted and somebody has spoilt."""
    problems = []
    for entry in journal.entries:
        noted = own.read(entry.meta)
        try:
            noted.digits(), noted.metadata(), noted.limits()
            if isinstance(entry, data.Transaction | data.Price):
                noted.effective_at(_midnight(entry))
        except ValueError as exc:
            problems.append(_note(reading.place_of(entry.meta), f"cannot read what an export noted: {exc}"))
    if problems:
        raise JournalError(problems)


def _under_its_code(currency: PlannedCurrency, codes: Mapping[str, str]) -> PlannedCurrency:
    code = codes.get(currency.currency.code, currency.currency.code)
    return replace(currency, currency=model.Currency(code=code, exponent=currency.currency.exponent))


def _is_left_out(entry: data.Directive) -> bool:
    return type(entry) in LEFT_OUT and not (isinstance(entry, data.Commodity) and own.read(entry.meta).own)


def _assertions(journal: reading.Journal, codes: Mapping[str, str]) -> Iterator[Assertion]:
    paths = chart.paths(journal)
    for entry in journal.entries:
        if isinstance(entry, data.Balance):
            place = reading.place_of(entry.meta)
            expected, currency = reading.amount_of(entry.amount)
            yield Assertion(
                place=place,
                path=paths[entry.account],
                currency=codes.get(currency, currency),
                date=entry.date,
                expected=expected,
                tolerance=balance.get_balance_tolerance(entry, journal.options),  # type: ignore[no-untyped-call]
                fails_in_journal=place in journal.failed,
            )


def _prices(journal: reading.Journal, codes: Mapping[str, str]) -> Iterator[PlannedPrice]:
    for entry in journal.entries:
        if isinstance(entry, data.Price):
            price, quote = reading.amount_of(entry.amount)
            wanted = model.NewPrice(
                currency=codes.get(entry.currency, entry.currency),
                quote=codes.get(quote, quote),
                price=price,
                effective_at=own.read(entry.meta).effective_at(_midnight(entry)),
            )
            yield PlannedPrice(place=reading.place_of(entry.meta), wanted=wanted)


def _midnight(entry: data.Transaction | data.Price) -> datetime:
    return datetime.combine(entry.date, time.min, tzinfo=UTC)


def _note(place: Place, text: str) -> Note:
    return Note(place=place, text=text)
