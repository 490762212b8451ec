"""Read a CSV file by a mapping. The file is one statement of one account."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from decimal import Decimal

from myapp.ledger import bank
from myapp.ledger.model import Side
from myapp.scripts.bank import amounts
from myapp.scripts.bank.mapping import Column, Mapping
from myapp.scripts.bank.statements import Balance, Entry, Malformed, Problem, Statement, StatementError

PROBLEMS_MAX = 20
DETAILS = ("counterparty", "counterparty_account", "reference", "end_to_end_id", "value_date")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
NUL = "\0"


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the file, from the line it begins at."""

    place: int
    cells: Sequence[str]
    at: AnyMapping[Column, int]

    def get(self, column: Column | None) -> str:
        """Return a cell without blanks around it; "" where there is no such column.

        Raises:
            Malformed: the row is too short for it.
        """
        if column is None:
            return ""
        index = self.at[column]
        if index >= len(self.cells):
            raise Malformed(f"has {len(self.cells)} columns, so there is none for {column!r}")
        return self.cells[index].strip()


@dataclass(frozen=True, slots=True)
class _Read:
    entry: Entry
    balance: Decimal | None


def read(content: bytes, mapping: Mapping, *, file: str) -> Sequence[Statement]:
    """Read a file.

    Raises:
        StatementError: naming the lines at fault, and nothing of the file is of use.
    """
    problems: list[Problem] = []
    found: list[_Read] = []
    left_out = {"lines of zero": 0}
    signs: set[bool] = set()
    for row in _rows(_decode(content, mapping, file), mapping, file):
        try:
            read = _entry(row, mapping)
            _require_one_sign(row, mapping, signs)
        except Malformed as exc:
            problems.append(Problem(line=row.place, text=str(exc)))
            continue
        if read is None:
            left_out["lines of zero"] += 1
        else:
            found.append(read)
    if problems:
        raise StatementError(file, _shortened(problems))
    ordered, is_running = _in_order(found)
    opening, closing = _balances(ordered) if is_running else (None, None)
    if not is_running and mapping.columns.balance is not None:
        left_out["balances that do not follow from each other"] = len(ordered)
    entries = [each.entry for each in ordered]
    return [Statement(number=None, entries=entries, opening=opening, closing=closing, left_out=left_out)]


def _decode(content: bytes, mapping: Mapping, file: str) -> str:
    encoding = mapping.encoding or ("utf-16" if content[:2] in UTF_16 else "utf-8-sig")
    try:
        text = content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        advice = "" if mapping.encoding else '; say which encoding it is in the mapping, such as encoding = "cp1252"'
        raise StatementError(file, [Problem(line=line, text=f"is no {encoding} text{advice}")]) from exc
    if NUL in text:
        place = text.count("\n", 0, text.index(NUL)) + 1
        raise StatementError(file, [Problem(line=place, text="is no text: it has a character U+0000")])
    return text


def _rows(text: str, mapping: Mapping, file: str) -> Iterator[_Row]:
    rows = list(_split(text, mapping, file))
    rows = rows[: len(rows) - mapping.skip_end]
    if not mapping.headings:
        for place, cells in rows:
            yield _Row(place, cells, _numbers(mapping))
        return
    if not rows:
        raise StatementError(file, [Problem(line=0, text="has no line with headings")])
    (place, headings), *rest = rows
    at = _places(mapping, headings, place, file)
    for row_place, cells in rest:
        yield _Row(row_place, cells, at)


def _split(text: str, mapping: Mapping, file: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows that are not blank, each with the line it begins at, from the one after `skip`."""
    lines = io.StringIO(text, newline="")
    for _ in range(mapping.skip):
        lines.readline()
    reader = csv.reader(lines, delimiter=mapping.delimiter, quotechar=mapping.quote, strict=True)
    before = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield mapping.skip + before + 1, cells
            before = reader.line_num
    except csv.Error as exc:
        raise StatementError(file, [Problem(line=mapping.skip + before + 1, text=f"is no CSV: {exc}")]) from exc


def _wanted(mapping: Mapping) -> Sequence[Column]:
    columns = mapping.columns
    names = (*DETAILS, "date", "amount", "debit", "credit", "direction", "currency", "balance", "id")
    one = [getattr(columns, name) for name in names]
    return [each for each in (*one, *columns.text) if each is not None]


def _numbers(mapping: Mapping) -> AnyMapping[Column, int]:
    return {each: each - 1 for each in _wanted(mapping) if isinstance(each, int)}


def _places(mapping: Mapping, headings: Sequence[str], place: int, file: str) -> AnyMapping[Column, int]:
    bare = [heading.strip() for heading in headings]
    names = [each for each in _wanted(mapping) if isinstance(each, str)]
    missing = [name for name in names if bare.count(name) != 1]
    if missing:
        problems = [
            Problem(
                line=place, text=f"has {bare.count(name) or 'no'} columns {name!r}; its headings are {', '.join(bare)}"
            )
            for name in missing
        ]
        raise StatementError(file, problems)
    return {**_numbers(mapping), **{name: bare.index(name) for name in names}}


def _entry(row: _Row, mapping: Mapping) -> _Read | None:
    """Return the line; None where it moves nothing."""
    columns = mapping.columns
    booked_on = amounts.day(row.get(columns.date), mapping.date_format)
    signed = _signed(row, mapping)
    currency = (row.get(columns.currency) or mapping.currency or "").upper()
    if not currency:
        raise Malformed("names no currency, and neither does the mapping")
    balance = row.get(columns.balance)
    if not signed:
        return None
    line = bank.NewLine(
        booked_on=booked_on,
        side=Side.DEBIT if signed > 0 else Side.CREDIT,
        amount=abs(signed),
        currency=currency,
        details=_details(row, mapping),
        bank_id=row.get(columns.id) or None,
    )
    return _Read(Entry(place=row.place, line=line), _amount(balance, mapping) if balance else None)


def _amount(text: str, mapping: Mapping) -> Decimal:
    return amounts.amount(text, decimal=mapping.decimal, thousands=mapping.thousands)


def _signed(row: _Row, mapping: Mapping) -> Decimal:
    """Return what the line added to the account."""
    columns = mapping.columns
    if columns.amount is not None:
        signed = _amount(row.get(columns.amount), mapping)
        if columns.direction is not None:
            is_out = row.get(columns.direction).casefold() in {word.casefold() for word in mapping.out}
            signed = -abs(signed) if is_out else abs(signed)
    else:
        out, into = row.get(columns.debit), row.get(columns.credit)
        if not out and not into:
            raise Malformed("has neither what went out nor what came in")
        # Some banks write what went out with a minus, others without; _require_one_sign knows no bank that does both.
        signed = (_amount(into, mapping) if into else Decimal()) - (abs(_amount(out, mapping)) if out else Decimal())
    return -signed if mapping.inverted else signed


def _details(row: _Row, mapping: Mapping) -> AnyMapping[str, str]:
    columns = mapping.columns
    text = " ".join(cell for column in columns.text if (cell := row.get(column)))
    details = {"text": text, "id": row.get(columns.id)} | {name: row.get(getattr(columns, name)) for name in DETAILS}
    return {name: value for name, value in details.items() if value}


def _in_order(found: Sequence[_Read]) -> tuple[Sequence[_Read], bool]:
    """Return the lines, the oldest first, and whether each balance follows from the one before.

    Banks list the newest first as often as the oldest; within a day only the balances tell.
    """
    downwards = list(reversed(found))
    orders = [sorted(order, key=lambda each: each.entry.line.booked_on) for order in (found, downwards)]
    for order in orders:
        if order and _is_running(order):
            return order, True
    is_downwards = bool(found) and found[0].entry.line.booked_on > found[-1].entry.line.booked_on
    return orders[is_downwards], False


def _is_running(order: Sequence[_Read]) -> bool:
    if any(each.balance is None for each in order) or len({each.entry.line.currency for each in order}) > 1:
        return False
    return all(
        before.balance is not None and before.balance + _moved(each) == each.balance
        for before, each in itertools.pairwise(order)
    )


def _moved(read: _Read) -> Decimal:
    line = read.entry.line
    return line.amount if line.side is Side.DEBIT else -line.amount


def _balances(ordered: Sequence[_Read]) -> tuple[Balance | None, Balance | None]:
    """Return the balances before the first line and after the last of lines whose balances follow from each other."""
    first, last = ordered[0], ordered[-1]
    if first.balance is None or last.balance is None:
        return None, None
    currency = first.entry.line.currency
    return (
        Balance(day=first.entry.line.booked_on, amount=first.balance - _moved(first), currency=currency),
        Balance(day=last.entry.line.booked_on, amount=last.balance, currency=currency),
    )


def _require_one_sign(row: _Row, mapping: Mapping, signs: set[bool]) -> None:
    """Refuse what went out where it is once above and once below zero: one of the two came in, and who knows which.

    Raises:
        Malformed: another line has the other sign.
    """
    out = row.get(mapping.columns.debit)
    if out and (signed := _amount(out, mapping)):
        signs.add(signed > 0)
        if len(signs) > 1:
            raise Malformed(f"{out!r} went out, with another sign than on other lines; which of them came in?")


def _shortened(problems: Sequence[Problem]) -> Sequence[Problem]:
    if len(problems) <= PROBLEMS_MAX:
        return problems
    rest = Problem(line=0, text=f"and {len(problems) - PROBLEMS_MAX} more lines")
    return [*problems[:PROBLEMS_MAX], rest]
