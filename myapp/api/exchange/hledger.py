"""A ledger as an hledger journal: prices and what is posted, by effective time, fit for `hledger check --strict`.

What hledger has no place for is in tags (see `notes`), which end at a comma or the end of the line: so the text of
ours is percent-encoded. A reference is the code as well, where a code can say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from myapp.api.exchange import names, notes, posted, priced, times
from myapp.api.exchange.book import Book
from myapp.api.exchange.metadata import read_metadata
from myapp.ledger import model, money, queries

TYPES = {
    model.AccountType.ASSET: "A",
    model.AccountType.LIABILITY: "L",
    model.AccountType.EQUITY: "E",
    model.AccountType.INCOME: "R",
    model.AccountType.EXPENSE: "X",
}
TAG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# These mean something to hledger, or may: a date of its own, a type, what it generates itself.
RESERVED = frozenset({"amt", "assertion", "cur", "date", "date2", "desc", "note", "payee", "status", "t", "type"})
RESERVED_BEGINNINGS = ("ledger-", "generated-", "modified", "recur", "_")
LETTERS = re.compile(r"[A-Za-z]+")
# Printable, and nothing that ends a value or that a comment takes for a date.
VALUE = re.compile(r"[^,\[\]\s\x00-\x1f\x7f-\x9f](?:[^,\[\]\x00-\x1f\x7f-\xa0]*[^,\[\]\s\x00-\x1f\x7f-\x9f])?")
WORDS = re.compile(r"[^;\s\x00-\x1f\x7f-\x9f](?:[^;\x00-\x1f\x7f-\xa0\u2028\u2029]*[^;\s\x00-\x1f\x7f-\x9f])?")
CODE_TEXT = re.compile(r"[^();,\s\x00-\x1f\x7f-\x9f]+")
UNSPOKEN = re.compile(r"[;\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
SAMPLE = 1_000
USUAL_FLAG, OTHER_FLAG = "*", "!"
STATUS, CODE = "hledger.status", "hledger.code"
# Its JSON rounds to ten decimal places; whoever reads that finds the amount in a tag.
JSON_PLACES = 10
# What percent-encoding leaves as it is, besides letters and digits.
SAFE = " :/.{}\"'()+-_&=@*!?<>|^~#$"


def write(book: Book) -> Iterator[bytes]:
    """Yield the journal, an entry at a time."""
    accounts = names.hledger_accounts([each.path for each in book.accounts])
    yield f"; {book.ledger.name}\n\n".encode()
    for currency in book.currencies:
        number = money.to_text(SAMPLE * 10**currency.exponent, currency.exponent)
        number += "" if currency.exponent else "."
        yield f"commodity {number} {_symbol(currency.code)}\n".encode()
    yield b"\n"
    for account in book.accounts:
        yield _account(account, accounts[account.path], book).encode()
    for line in _prices(book):
        yield line.encode()
    yield from _transactions(book, accounts)


def _account(account: model.Account, name: str, book: Book) -> str:
    # Always: hledger hands an account's tags down to those below it, after their own, and here the next ones begin.
    noted = {notes.PATH: account.path}
    if (limits := notes.limits(account, book)) is not None:
        noted[notes.LIMITS] = limits
    if account.currencies is not None:
        noted[notes.CURRENCIES] = " ".join(account.currencies)
    if account.closed_at is not None:
        noted[notes.CLOSED] = "yes"
    noted |= notes.divided(dict(sorted(account.metadata.items())), _is_plain)
    return f"account {name}  ; type:{TYPES[account.type]}\n{_tags(noted)}"


def _prices(book: Book) -> Iterator[str]:
    """Yield `P` lines; hledger reads no more of them than the day and the price."""
    gap = "\n"
    for each in priced.prices(book):
        at = times.of(each.effective_at)
        noted = "" if times.is_midnight(at) else f"  ; {notes.TIME}:{at}"
        yield f"{gap}P {at[:10]} {_symbol(each.currency)} {each.price:f} {_symbol(each.quote)}{noted}\n"
        gap = ""


def _transactions(book: Book, accounts: Mapping[str, str]) -> Iterator[bytes]:
    by_key = {book.walk.key_of(each.id): accounts[each.path] for each in book.accounts}
    currencies = {each.code: (_symbol(each.code), each.exponent) for each in book.currencies}
    debit = model.Side.DEBIT.value
    for entry, lines in posted.entries(book.walk):
        written = [_title(entry)]
        for account, currency, side, amount, _effect in lines:
            symbol, exponent = currencies[currency]
            number = money.to_text(amount if side == debit else -amount, exponent)
            noted = f"  ; {notes.AMOUNT}:{number}" if exponent > JSON_PLACES else ""
            written.append(f"    {by_key[account]}  {number} {symbol}{noted}\n")
        yield "".join(written).encode()


def _title(entry: queries.Entry) -> str:
    """Return what comes before the postings."""
    noted: dict[str, str] = {}
    if not times.is_midnight(entry.effective_at):
        noted[notes.TIME] = times.instant(entry.effective_at)
    metadata = read_metadata(entry.metadata)
    flag, code = _native(metadata, entry.reference if notes.is_own(entry.reference) else None, noted)
    words = ""
    if entry.description is not None:
        words = UNSPOKEN.sub(" ", entry.description).strip()
        if words != entry.description or not words:
            noted[notes.DESCRIPTION] = entry.description
    noted |= notes.divided(metadata, _is_plain)
    if words.startswith("(") and not code:
        code = " ()"
    return f"\n{entry.effective_at[:10]} {flag}{code}{' ' if words else ''}{words}\n{_tags(noted)}"


def _native(metadata: dict[str, str], reference: str | None, noted: dict[str, str]) -> tuple[str, str]:
    """Take out of the metadata what hledger has a place for, note the reference; return the mark and the code."""
    flag = metadata.pop(STATUS) if metadata.get(STATUS) == OTHER_FLAG else USUAL_FLAG
    if reference is not None:
        noted[notes.REFERENCE] = reference
        return flag, f" ({reference})" if CODE_TEXT.fullmatch(reference) else ""
    if CODE_TEXT.fullmatch(metadata.get(CODE, "")):
        return flag, f" ({metadata.pop(CODE)})"
    return flag, ""


def _tags(noted: Mapping[str, str]) -> str:
    """Return a comment of its own for each, since a value goes to the comma or to the end of the line."""
    return "".join(
        f"    ; {key}:{_encoded(value) if key.startswith(notes.PREFIX) else value}\n" for key, value in noted.items()
    )


def _encoded(value: str) -> str:
    """Return a text percent-encoded; a blank only where hledger would take it off."""
    inner = value.strip(" ")
    start = value.index(inner) if inner else len(value)
    end = len(value) - start - len(inner)
    return "%20" * start + quote(inner, safe=SAFE) + "%20" * end


def _is_plain(key: str, value: str) -> bool:
    is_free = key.lower() not in RESERVED and not key.lower().startswith(RESERVED_BEGINNINGS)
    return is_free and TAG.fullmatch(key) is not None and VALUE.fullmatch(value) is not None


def _symbol(code: str) -> str:
    return code if LETTERS.fullmatch(code) else f'"{code}"'
