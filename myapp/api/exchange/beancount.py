"""A ledger as a Beancount journal: prices and what is posted, by effective time, clean under its own check.

Names follow Beancount's grammar (see `names`), and what it has no place for is metadata (see `notes`). What was loaded
from such a journal keeps its payees, tags, links and flags. At the end of a whole ledger every balance is asserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from myapp.api.exchange import closing, names, notes, posted, priced, times
from myapp.api.exchange.book import Book
from myapp.api.exchange.metadata import read_metadata
from myapp.ledger import model, money, queries

KEY = re.compile(r"[a-z][a-zA-Z0-9_-]+")
# What Beancount itself keeps in an entry's metadata.
RESERVED = frozenset({"filename", "lineno"})
MARKS = re.compile(r"[A-Za-z0-9_/.-]+(?: [A-Za-z0-9_/.-]+)*")
USUAL_FLAG, OTHER_FLAG = "*", "!"
PAYEE, TAGS, LINKS, FLAG = "beancount.payee", "beancount.tags", "beancount.links", "beancount.flag"

# Where nothing is recorded: the same on every export.
NO_DAY = date(1970, 1, 1)

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"})


@dataclass(frozen=True, slots=True)
class _Names:
    accounts: Mapping[str, str]
    currencies: Mapping[str, str]


def write(book: Book) -> Iterator[bytes]:
    """Yield the journal, an entry at a time."""
    named = _Names(
        names.beancount_accounts(book.accounts), names.beancount_currencies([each.code for each in book.currencies])
    )
    for line in _head(book, named):
        yield line.encode()
    for line in _prices(book, named):
        yield line.encode()
    yield from _transactions(book, named)
    for line in _end(book, named):
        yield line.encode()


def _head(book: Book, named: _Names) -> Iterator[str]:
    days = book.walk.days()
    opened = NO_DAY if days is None else days[0]
    yield f'option "title" {quoted(book.ledger.name)}\n\n'
    for currency in book.currencies:
        name = named.currencies[currency.code]
        noted = {notes.DIGITS: str(currency.exponent)}
        if name != currency.code:
            noted[notes.CODE] = currency.code
        yield f"{opened} commodity {name}\n{_noted(noted, 2)}"
    yield "\n"
    for account in book.accounts:
        only = ",".join(named.currencies.get(code, code) for code in account.currencies or ())
        noted = {notes.PATH: account.path}
        if (limits := notes.limits(account, book)) is not None:
            noted[notes.LIMITS] = limits
        noted |= notes.divided(dict(sorted(account.metadata.items())), _is_plain)
        yield f"{opened} open {named.accounts[account.path]} {only}".rstrip() + f"\n{_noted(noted, 2)}"


def _prices(book: Book, named: _Names) -> Iterator[str]:
    for each in priced.prices(book):
        at = times.of(each.effective_at)
        noted = {} if times.is_midnight(at) else {notes.TIME: at}
        currency, quote = named.currencies[each.currency], named.currencies[each.quote]
        yield f"{at[:10]} price {currency}  {each.price:f} {quote}\n{_noted(noted, 2)}"


def _transactions(book: Book, named: _Names) -> Iterator[bytes]:
    accounts = {book.walk.key_of(each.id): named.accounts[each.path] for each in book.accounts}
    currencies = {each.code: (named.currencies[each.code], each.exponent) for each in book.currencies}
    debit = model.Side.DEBIT.value
    for entry, lines in posted.entries(book.walk):
        written = [_title(entry)]
        for account, currency, side, amount, _effect in lines:
            name, exponent = currencies[currency]
            number = money.to_text(amount if side == debit else -amount, exponent)
            written.append(f"  {accounts[account]}  {number} {name}\n")
        yield "".join(written).encode()


def _title(entry: queries.Entry) -> str:
    """Return what comes before the postings."""
    metadata = read_metadata(entry.metadata)
    noted: dict[str, str] = {}
    if not times.is_midnight(entry.effective_at):
        noted[notes.TIME] = times.instant(entry.effective_at)
    if notes.is_own(entry.reference):
        noted[notes.REFERENCE] = entry.reference or ""
    flag, marks = USUAL_FLAG, ""
    words = "" if entry.description is None else f" {quoted(entry.description)}"
    if entry.description == "":
        noted[notes.DESCRIPTION] = ""
    if metadata:
        flag, words, marks = _native(metadata, entry.description or "", words)
        noted |= notes.divided(metadata, _is_plain)
    return f"\n{entry.effective_at[:10]} {flag}{words}{marks}\n{_noted(noted, 2)}"


def _native(metadata: dict[str, str], description: str, words: str) -> tuple[str, str, str]:
    """Take out of the metadata what Beancount has a place for; return the flag, the strings, and tags and links."""
    flag, marks = USUAL_FLAG, ""
    if metadata.get(FLAG) == OTHER_FLAG:
        flag = metadata.pop(FLAG)
    payee = metadata.get(PAYEE)
    if payee and f"{description} | ".startswith(f"{payee} | ") and description != f"{payee} | ":
        words = f" {quoted(payee)} {quoted(description[len(payee) + 3 :])}"
        del metadata[PAYEE]
    for key, mark in ((TAGS, "#"), (LINKS, "^")):
        value = metadata.get(key, "")
        each = value.split(" ")
        if MARKS.fullmatch(value) and each == sorted(set(each)):
            marks += "".join(f" {mark}{name}" for name in each)
            del metadata[key]
    return flag, words, marks


def _end(book: Book, named: _Names) -> Iterator[str]:
    day = closing.day_after(book)
    if day is not None and book.is_whole:
        yield "\n"
        for path, code, net in closing.balances(book, named.accounts):
            number = money.to_text(net, book.exponents[code])
            yield f"{day} balance {named.accounts[path]}  {number} ~ 0 {named.currencies[code]}\n"
    for account in book.accounts:
        if account.closed_at is not None:
            yield f"{day or NO_DAY} close {named.accounts[account.path]}\n"


def _is_plain(key: str, _value: str) -> bool:
    return KEY.fullmatch(key) is not None and key not in RESERVED


def _noted(noted: Mapping[str, str], indent: int) -> str:
    return "".join(f"{' ' * indent}{key}: {quoted(value)}\n" for key, value in noted.items())


def quoted(text: str) -> str:
    """Return a text as Beancount's string."""
    return f'"{text.translate(_ESCAPES)}"'
