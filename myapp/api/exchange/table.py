"""A ledger as CSV (RFC 4180): a row for each posting, by effective time.

A spreadsheet takes a text that begins like a formula for one, and runs it. So `'` is put before such a text, and
before one that begins with `'` itself: whoever reads it otherwise takes one leading `'` off.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from myapp.api.exchange import posted, times
from myapp.api.exchange.book import Book
from myapp.api.exchange.metadata import read_metadata
from myapp.ledger import model, money

COLUMNS = (
    "transaction_id",
    "reference",
    "description",
    "effective_at",
    "recorded_at",
    "line",
    "account",
    "account_type",
    "currency",
    "debit",
    "credit",
    "reverses",
    "pending_of",
    "metadata",
)
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
ROWS_MAX = 500


def write(book: Book) -> Iterator[bytes]:
    """Yield the table, some rows at a time."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    accounts = {book.walk.key_of(each.id): (harmless(each.path), each.type.value) for each in book.accounts}
    exponents, debit = book.exponents, model.Side.DEBIT.value
    rows = 0
    for entry, lines in posted.entries(book.walk):
        words = (entry.id, harmless(entry.reference), harmless(entry.description))
        when = (times.instant(entry.effective_at), times.instant(entry.recorded_at))
        rest = (entry.reverses, entry.pending_of, _metadata(entry.metadata))
        for number, (account, currency, side, amount, _effect) in enumerate(lines):
            text = money.to_text(amount, exponents[currency])
            sides = (text, "") if side == debit else ("", text)
            writer.writerow((*words, *when, number, *accounts[account], currency, *sides, *rest))
        rows += len(lines)
        if rows >= ROWS_MAX:
            yield made.getvalue().encode()
            made.seek(0)
            made.truncate()
            rows = 0
    yield made.getvalue().encode()


def _metadata(text: str) -> str:
    """Return a JSON object with its members in order, whichever order the database gives it in."""
    return "" if text == "{}" else json.dumps(read_metadata(text), ensure_ascii=False)


def harmless(text: str | None) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    if text is None:
        return ""
    return f"'{text}" if text.lstrip().startswith(FORMULA_MARKS) or text.startswith(FORMULA_MARKS) else text
