"""Read OFX 1 (SGML) and OFX 2 (XML) with ofxtools: its header, its encodings and its markup, element by element.

Its types are not used: they refuse a whole file for an element of the bank's own, of which a ledger has no need.
"""

from __future__ import annotations

import html
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element

from ofxtools import Parser

from myapp.ledger import bank
from myapp.ledger.model import Side
from myapp.scripts.bank import amounts
from myapp.scripts.bank.statements import Balance, Entry, Malformed, Problem, Statement, StatementError

STATEMENTS = ("STMTRS", "CCSTMTRS")
NUMBERS = ("BANKACCTFROM/ACCTID", "CCACCTFROM/ACCTID")
DATE_FORMAT = "%Y%m%d"
DATE_LENGTH = 8
LINE = re.compile(rb"<STMTTRN>", re.IGNORECASE)
END = re.compile(rb"</OFX>\s*\Z", re.IGNORECASE)
DOCUMENT_TYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def read(content: bytes, *, file: str) -> Sequence[Statement]:
    """Read the statements of a file, of whatever accounts.

    Raises:
        StatementError: it is no OFX, or lines of it are not what they should be; they are named.
    """
    root = _root(content, file)
    places = [content.count(b"\n", 0, found.start()) + 1 for found in LINE.finditer(content)]
    lines = list(root.iter("STMTTRN"))
    if len(lines) != len(places):
        text = f"has {len(places)} lines, of which {len(lines)} can be read; it is damaged, or not written as OFX is"
        raise StatementError(file, [Problem(line=0, text=text)])
    place_of = {id(line): place for line, place in zip(lines, places, strict=True)}
    problems: list[Problem] = []
    found = [each for name in STATEMENTS for each in root.iter(name)]
    if not found:
        raise StatementError(file, [Problem(line=0, text="has no statement of a bank account or a card")])
    statements = [_statement(each, nth, place_of, problems) for nth, each in enumerate(found)]
    if problems:
        raise StatementError(file, problems)
    return statements


def _root(content: bytes, file: str) -> Element:
    refused: str | None = None
    if DOCUMENT_TYPE.search(content):
        refused = "has a document type or an entity of its own, which no bank's file has"
    elif not END.search(content):
        refused = "does not end with </OFX>; it is not whole"
    if refused is not None:
        raise StatementError(file, [Problem(line=0, text=refused)])
    try:
        # Its own errors, and ElementTree's, are syntax errors.
        root = Parser.OFXTree().parse(io.BytesIO(content))
    except (SyntaxError, ValueError, LookupError, AssertionError) as exc:
        raise StatementError(
            file, [Problem(line=0, text=f"is no OFX: {str(exc)[:200] or type(exc).__name__}")]
        ) from exc
    if root.tag != "OFX":
        raise StatementError(file, [Problem(line=0, text=f"is no OFX: it begins with {root.tag}")])
    return root


def _statement(of: Element, nth: int, place_of: dict[int, int], problems: list[Problem]) -> Statement:
    left_out: Counter[str] = Counter()
    currency = _get(of, "CURDEF")
    entries: list[Entry] = []
    for each in of.iter("STMTTRN"):
        try:
            entries += _entries(each, currency, nth, place_of[id(each)], left_out)
        except Malformed as exc:
            problems.append(Problem(line=place_of[id(each)], text=str(exc)))
    closing = None
    try:
        closing = _closing(of, currency)
    except Malformed as exc:
        problems.append(Problem(line=0, text=f"its balance {exc}"))
    number = next((text for path in NUMBERS if (text := _get(of, path))), None)
    entries.sort(key=lambda entry: entry.line.booked_on)
    return Statement(number=number, entries=entries, closing=closing, left_out=left_out)


def _entries(of: Element, currency: str, nth: int, place: int, left_out: Counter[str]) -> Iterator[Entry]:
    amount = _amount(_get(of, "TRNAMT"))
    if not amount:
        left_out["lines of zero"] += 1
        return
    # Of a line in another currency the bank says so; CURRENCY counts in it, ORIGCURRENCY is only told.
    code = _get(of, "CURRENCY/CURSYM") or currency
    if not code:
        raise Malformed("names no currency")
    line = bank.NewLine(
        booked_on=_day(_get(of, "DTPOSTED")),
        side=Side.DEBIT if amount > 0 else Side.CREDIT,
        amount=abs(amount),
        currency=code,
        details=_details(of),
        bank_id=_get(of, "FITID") or None,
        statement=nth,
    )
    yield Entry(place=place, line=line)


def _amount(text: str) -> Decimal:
    """Return an amount; OFX allows a comma for the point."""
    return amounts.amount(text, decimal="," if "," in text and "." not in text else ".")


def _day(text: str) -> date:
    """Return the day as the bank writes it: 20260131233000[-5:EST] is the 31st on its paper, whatever it is in UTC."""
    return amounts.day(text[:DATE_LENGTH], DATE_FORMAT)


def _closing(of: Element, currency: str) -> Balance | None:
    text = _get(of, "LEDGERBAL/BALAMT")
    if not text:
        return None
    return Balance(day=_day(_get(of, "LEDGERBAL/DTASOF")), amount=_amount(text), currency=currency)


def _details(of: Element) -> dict[str, str]:
    found = {
        "text": _get(of, "MEMO"),
        "counterparty": _get(of, "NAME") or _get(of, "PAYEE/NAME"),
        "reference": _get(of, "REFNUM"),
        "check": _get(of, "CHECKNUM"),
        "code": _get(of, "TRNTYPE"),
        "id": _get(of, "FITID"),
    }
    return {name: value for name, value in found.items() if value}


def _get(of: Element, path: str) -> str:
    return html.unescape(of.findtext(path) or "").strip()
