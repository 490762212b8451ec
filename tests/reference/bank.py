"""Bank statements in the reference model: a list of lines, what each is matched with, and what it may mean.

A posting is named by the place of its transaction and its line; scores are not told, only what is proposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from myapp.ledger.bank import NewLine
from myapp.ledger.model import Side
from tests.reference import refusals
from tests.reference.book import BankLine, Book, Draft, DraftLine, Key, Record, Refused

OTHER = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}


@dataclass(frozen=True)
class Statement:
    """Lines to import for an account, through a clearing account or not; `late` those of a closed day count now."""

    account: str
    clearing: str | None
    lines: Sequence[NewLine]
    late: bool = False


@dataclass(frozen=True)
class Decision:
    """What a person decides about the line at a place: by a transaction, or with another account `to`."""

    line: int
    transaction: int | None = None
    to: str = ""
    effective_at: datetime | None = field(default=None)


def import_lines(book: Book, wanted: Statement, *, now: datetime) -> tuple[Sequence[int], Sequence[int]]:
    """Take over what is new, and return the places of the new lines and of those known."""
    against = wanted.clearing or wanted.account
    if not {wanted.account, against} <= book.accounts.keys():
        raise Refused("unknown-account")
    for place, line in enumerate(wanted.lines):
        if book.exponent(line.currency) is None:
            raise Refused("unknown-currency", place)
    for place, line in enumerate(wanted.lines):
        refusals.check_amount(book, line.currency, line.amount, place, 0)
    marks = marks_of(book, wanted.lines)
    known = {line.mark for line in book.bank if line.account == wanted.account}
    new = [place for place, mark in enumerate(marks) if mark not in known and mark not in marks[:place]]
    drafts = [draft(book, wanted, wanted.lines[place], now) for place in new] if wanted.clearing else []
    try:
        refusals.check_drafts(book, drafts)
    except Refused as refused:
        raise Refused(refused.code, new[refused.index or 0], refused.line) from None
    for number, place in enumerate(new):
        line = wanted.lines[place]
        recorded = write(book, drafts[number], line.details, now, reference="bank") if drafts else None
        minor = book.minor_of(line.amount, line.currency)
        book.bank.append(
            BankLine(
                wanted.account,
                against,
                line.booked_on,
                line.side,
                line.currency,
                minor,
                line.details,
                marks[place],
                recorded,
            )
        )
    return new, [place for place in range(len(wanted.lines)) if place not in new]


def marks_of(book: Book, lines: Sequence[NewLine]) -> list[object]:
    """Return what tells lines apart: equal ones of a statement by their number in it."""
    seen = Counter[object]()
    marks: list[object] = []
    for line in lines:
        words = line.bank_id or tuple(sorted(line.details.items()))
        same = (line.booked_on, line.side, book.minor_of(line.amount, line.currency), line.currency, words)
        seen[line.statement, same] += 1
        marks.append((same, seen[line.statement, same]))
    return marks


def draft(book: Book, wanted: Statement, line: NewLine, now: datetime) -> Draft:
    minor, counts_at = book.minor_of(line.amount, line.currency), start_of(line.booked_on)
    if wanted.late and book.locked_before is not None and counts_at < book.locked_before:
        counts_at = now
    lines = [
        DraftLine(wanted.account, line.currency, line.side, minor, "posted"),
        DraftLine(wanted.clearing or "", line.currency, OTHER[line.side], minor, "posted"),
    ]
    return Draft(lines, counts_at)


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def write(
    book: Book, drafted: Draft, details: Mapping[str, str], now: datetime, *, reference: str | None, line: str = ""
) -> int:
    book.use_currencies(each.currency for each in drafted.lines)
    metadata = {f"bank.{name}": value for name, value in details.items()} | ({"bank.line": line} if line else {})
    entries = refusals.move(book, drafted.lines)
    book.records.append(Record(reference, details.get("text"), drafted.effective_at, now, metadata, entries))
    book.note(drafted)
    return len(book.records) - 1


def match(book: Book, account: str, *, days: int) -> tuple[int, int, int, int]:
    """Match what is certain and propose the rest; return how many are matched, proposed, open and were reopened."""
    if account not in book.accounts:
        raise Refused("not-found")
    own = sorted((line for line in book.bank if line.account == account), key=lambda line: line.booked_on)
    reopened = [line for line in own if line.match is not None and line.match[0] in book.reversals]
    for line in reopened:
        line.match = line.how = None
    left = [line for line in own if line.match is None]
    certain: list[tuple[BankLine, Key]] = []
    for line in left:
        taken = [key for _, key in certain]
        named = [key for key in candidates(book, line) if is_named(book, line, key) and key not in taken]
        named = [key for key in named if key not in line.rejected]
        if len(named) == 1:
            certain.append((line, named[0]))
    taken = [key for _, key in certain]
    matched = [line for line, _ in certain]
    proposals = [
        {
            key
            for key in candidates(book, line)
            if key not in line.rejected and key not in taken
            if is_named(book, line, key) or days_apart(book, line, key) <= days
        }
        for line in left
    ]
    for line in left:
        line.proposals = set()
    settle(book, certain, "rule")
    proposed = 0
    for line, keys in zip(left, proposals, strict=True):
        if line not in matched and keys:
            line.proposals = keys
            proposed += 1
    return len(certain), proposed, len(left) - len(certain) - proposed, len(reopened)


def candidates(book: Book, line: BankLine) -> Sequence[Key]:
    """List the free postings that a line may mean, whenever they count."""
    used = {each.match for each in book.bank}
    barred = {each.transaction for each in book.bank if each.account == line.account or each.match is not None}
    return [
        key
        for key in fitting(book, line, range(len(book.records)))
        if key not in used
        and key[0] not in barred
        and key[0] not in book.reversals
        and book.records[key[0]].reverses is None
    ]


def fitting(book: Book, line: BankLine, places: Collection[int]) -> Sequence[Key]:
    money = (line.against, line.side, line.currency, line.minor)
    return [
        (place, number)
        for place in places
        for number, entry in enumerate(book.records[place].entries)
        if (entry.account, entry.side, entry.currency, entry.minor) == money and entry.effect in ("posted", "taken")
    ]


def is_named(book: Book, line: BankLine, key: Key) -> bool:
    words = {line.details.get("reference"), *line.details.get("text", "").split()}
    return book.records[key[0]].reference in words - {None}


def days_apart(book: Book, line: BankLine, key: Key) -> int:
    return abs((book.records[key[0]].effective_at.date() - line.booked_on).days)


def settle(book: Book, pairs: Sequence[tuple[BankLine, Key]], how: str) -> None:
    """Match lines; the lines of another bank that explain these are explained by them."""
    mirrored = [
        (other, (line.transaction, 1))
        for line, key in pairs
        for other in book.bank
        if other.transaction == key[0] and line.transaction is not None
    ]
    both = [*pairs, *mirrored]
    used = [each.match for each in book.bank if each.match is not None]
    if any(line.match is not None or key in used for line, key in both):
        raise Refused("already-matched")
    for line, key in both:
        line.match, line.how, line.proposals = key, how, set()
    for line in book.bank:
        line.proposals -= {key for _, key in both}


def found(book: Book, place: int) -> BankLine:
    if place >= len(book.bank):
        raise Refused("not-found")
    return book.bank[place]


def unmatched(book: Book, place: int) -> BankLine:
    if found(book, place).match is not None:
        raise Refused("already-matched")
    return book.bank[place]


def accept(book: Book, wanted: Decision) -> None:
    line = unmatched(book, wanted.line)
    if wanted.transaction is None:
        if len(line.proposals) != 1:
            raise Refused("nothing-proposed")
        settle(book, [(line, next(iter(line.proposals)))], "accepted")
        return
    fits = fitting(book, line, [wanted.transaction] if wanted.transaction < len(book.records) else [])
    free = [key for key in fits if key in candidates(book, line)]
    if not free:
        is_used = any(each.match in fits for each in book.bank)
        raise Refused("already-matched" if is_used else "not-matching")
    settle(book, [(line, free[0])], "accepted")


def record_missing(book: Book, wanted: Decision, *, now: datetime) -> None:
    line = unmatched(book, wanted.line)
    lines = [
        DraftLine(line.against, line.currency, line.side, line.minor, "posted"),
        DraftLine(wanted.to, line.currency, OTHER[line.side], line.minor, "posted"),
    ]
    drafted = Draft(lines, wanted.effective_at or start_of(line.booked_on))
    refusals.check_drafts(book, [drafted])
    place = write(book, drafted, line.details, now, reference=None, line=f"line {wanted.line}")
    settle(book, [(line, (place, 0))], "recorded")


def reject(book: Book, wanted: Decision) -> None:
    """Drop a match, and that of the other side of a transfer; or proposals."""
    line = found(book, wanted.line)
    if line.match is not None:
        if wanted.transaction not in (None, line.match[0]):
            raise Refused("nothing-proposed")
        line.rejected.add(line.match)
        line.match = line.how = None
        for other in book.bank:
            if line.transaction is not None and other.match is not None and other.match[0] == line.transaction:
                other.match = other.how = None
        return
    dropped = {key for key in line.proposals if wanted.transaction in (None, key[0])}
    if not dropped:
        raise Refused("nothing-proposed")
    line.rejected |= dropped
    line.proposals -= dropped


def seen(book: Book, account: str | None = None) -> Sequence[object]:
    """Return the lines as their readers see them, by day."""
    states = {True: "proposed", False: "open"}
    return [
        (
            number,
            line.account,
            line.against,
            line.booked_on,
            line.side,
            line.currency,
            line.minor,
            line.details,
            "matched" if line.match is not None else states[bool(line.proposals)],
            line.transaction,
            line.match,
            line.how,
            line.proposals,
        )
        for number, line in sorted(enumerate(book.bank), key=lambda each: (each[1].booked_on, each[0]))
        if account in (None, line.account)
    ]
