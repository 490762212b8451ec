"""How many decimal digits each of a journal's commodities has in the ledger.

A currency of ISO 4217 has the standard's, no more and no fewer. Any other commodity has those chosen, else the most
that are written. Amounts that Beancount computed (a left-out leg, padding) count only where none is written, since
`3 HOOL @@ 10 USD` leaves 9.999999999999999999999999999 USD behind, which no one wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from beancount.core import data, flags, interpolate

from myapp.ledger import currencies as ledger_currencies
from myapp.ledger import model
from myapp.scripts.importing import decimals, own, reading
from myapp.scripts.importing.plan import JournalError, Note, Place, PlannedCurrency

DIGITS_MAX = 18
COMPUTED_DIGITS_MAX = 8

Longest = dict[str, tuple[int, Place]]


def currencies(entries: Sequence[data.Directive], chosen: Mapping[str, int]) -> Sequence[PlannedCurrency]:
    """Return the currency of each commodity that is posted, by code, with the place of its longest amount.

    Raises:
        JournalError: a commodity needs more digits than a ledger can hold.
    """
    transactions = [entry for entry in entries if isinstance(entry, data.Transaction)]
    noted = _noted(entries)
    longest = {**_longest(transactions, computed=True), **_longest(transactions, computed=False)}
    longest |= {code: each for code, each in noted.items() if each[0] >= longest.get(code, each)[0]}
    exponents = {
        **{code: digits for code, (digits, _) in longest.items()},
        **chosen,
        **ledger_currencies.iso_exponents(),
    }
    problems = [
        Note(place=place, text=f"{code} would need {exponents[code]} decimal digits; a ledger has {DIGITS_MAX} at most")
        for code, (_, place) in longest.items()
        if exponents[code] > DIGITS_MAX
    ]
    if problems:
        raise JournalError(problems)
    return [
        PlannedCurrency(
            currency=model.Currency(code=code, exponent=exponents[code]), place=place, is_declared=code in noted
        )
        for code, (_, place) in sorted(longest.items())
    ]


def codes(entries: Iterable[data.Directive]) -> Mapping[str, str]:
    """Return the ledger's codes by the journal's, where they differ: Beancount cannot have every code."""
    return {
        entry.currency: code
        for entry in entries
        if isinstance(entry, data.Commodity) and (code := own.read(entry.meta).code(entry.currency)) != entry.currency
    }


def is_computed(entry: data.Transaction, posting: data.Posting) -> bool:
    """Say whether Beancount, and not the journal's author, gave the amount."""
    return entry.flag == flags.FLAG_PADDING or interpolate.AUTOMATIC_META in (posting.meta or {})


def _noted(entries: Iterable[data.Directive]) -> Longest:
    """Return the digits that an export of our own noted."""
    return {
        entry.currency: (found, reading.place_of(entry.meta))
        for entry in entries
        if isinstance(entry, data.Commodity) and (found := own.read(entry.meta).digits()) is not None
    }


def _longest(transactions: Iterable[data.Transaction], *, computed: bool) -> Longest:
    longest: Longest = {}
    for entry in transactions:
        for posting in entry.postings:
            if is_computed(entry, posting) is not computed:
                continue
            number, code = reading.amount_of(posting.units)
            written = decimals.fraction_digits(number)
            digits = min(written, COMPUTED_DIGITS_MAX) if computed else written
            if code not in longest or digits > longest[code][0]:
                longest[code] = (digits, reading.place_of(posting.meta or entry.meta))
    return longest
