"""What the HTTP contract cannot name or hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from myapp.ledger import model
from myapp.ledger import words as grammar
from myapp.scripts.importing.plan import Note, Place, Plan

# What it can say of a year.
YEARS = range(1000, 9999)


def beyond(made: Plan) -> Iterator[Note]:
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
