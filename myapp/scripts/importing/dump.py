"""Read a ledger that was exported as NDJSON: checked whole before anything is loaded, then line by line.

Whole means that its last line counts what there is, and that what belongs to another transaction comes after that one.
A slice of a ledger has transactions whose hold, or whose original, is outside of it; it is refused. So is a line that
no ledger could have recorded like that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import UNSET

from myapp.api import fields
from myapp.api.exchange import lines
from myapp.scripts.importing import checking
from myapp.scripts.importing.plan import JournalError, Note, Place

LineT = TypeVar("LineT", bound=lines.Recorded)

_decoder = msgspec.json.Decoder(lines.Line)


@dataclass(slots=True, kw_only=True)
class Dump:
    """What a file says before its transactions, which of those others refer to, and how many there are.

    `reversed` are those of the `referred` ones that others reverse.
    """

    path: Path
    ledger: lines.Ledger
    locked_before: datetime | None
    currencies: list[lines.Currency] = field(default_factory=list)
    accounts: list[tuple[Place, lines.Account]] = field(default_factory=list)
    referred: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    total: lines.Total = field(default_factory=lambda: lines.Total(transactions=0, postings=0, prices=0))

    def transactions(self) -> Iterator[tuple[Place, lines.Transaction]]:
        """Yield the transactions as they were recorded."""
        return self._all(lines.Transaction)

    def prices(self) -> Iterator[tuple[Place, lines.Price]]:
        """Yield the prices as they were recorded."""
        return self._all(lines.Price)

    def _all(self, kind: type[LineT]) -> Iterator[tuple[Place, LineT]]:
        for place, line in _lines(self.path):
            if isinstance(line, kind):
                yield place, line


def read(path: Path) -> Dump:
    """Read the file to its end.

    Raises:
        JournalError: it is no such file, of another version, not whole, or a line is not as an export has it.
    """
    found = _lines(path)
    place, first = next(found, (Place(file=str(path), line=0), None))
    if not isinstance(first, lines.Ledger):
        raise _problem(place, "is no export as NDJSON: its first line is no ledger")
    if first.version != lines.VERSION:
        raise _problem(place, f"is of version {first.version}; this program reads {lines.VERSION}: export it again")
    with _at(place):
        locked_before = None if first.locked_before is None else time(first.locked_before)
    dump = Dump(path=path, ledger=first, locked_before=locked_before)
    if _count(dump, found) != dump.total:
        raise _problem(Place(file=str(path), line=0), "is not whole: export it again")
    _follow(dump)
    return dump


def time(text: str) -> datetime:
    """Return a time of the file; raises ValueError."""
    return fields.Instant.parse(text).at


def _count(dump: Dump, rest: Iterator[tuple[Place, lines.Line]]) -> lines.Total | None:
    """Take in the lines after the first, and return what the last one says there are."""
    last = None
    for place, line in rest:
        last = line
        if isinstance(line, lines.Currency):
            dump.currencies.append(line)
        elif isinstance(line, lines.Account):
            dump.accounts.append((place, line))
        elif isinstance(line, lines.Transaction):
            with _at(place):
                checking.check_form(line)
            dump.total.transactions += 1
            dump.total.postings += len(line.postings)
            dump.referred.update(refers_to(line))
            if line.reverses is not UNSET:
                dump.reversed.add(line.reverses)
        elif isinstance(line, lines.Price):
            with _at(place):
                time(line.effective_at)
            dump.total.prices += 1
    return last if isinstance(last, lines.Total) else None


def _follow(dump: Dump) -> None:
    """Check those that belong to others against these."""
    if not dump.referred:
        return
    log = checking.Log(dump.referred, dump.reversed)
    for place, line in dump.transactions():
        for id_ in refers_to(line):
            if id_ not in log:
                text = f"belongs to the transaction {id_}, which is not in the file before it"
                is_slice = dump.ledger.from_ is not UNSET or dump.ledger.to is not UNSET
                hint = "; it is outside of the period that was exported, so choose a longer one" if is_slice else ""
                raise _problem(place, text + hint)
        with _at(place):
            log.add(line)


def refers_to(line: lines.Transaction) -> Sequence[str]:
    """Return the ids of the transactions that it belongs to."""
    return [each for each in (line.pending_of, line.reverses) if each is not UNSET]


def _lines(path: Path) -> Iterator[tuple[Place, lines.Line]]:
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                place = Place(file=str(path), line=number)
                try:
                    yield place, _decoder.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                    raise _problem(place, f"is not as an export has it: {exc}") from exc
    except OSError as exc:
        raise _problem(Place(file=str(path), line=0), f"cannot be read: {exc.strerror or exc}") from exc


@contextmanager
def _at(place: Place) -> Iterator[None]:
    """Say of what a line says wrongly where it is."""
    try:
        yield
    except ValueError as exc:
        raise _problem(place, str(exc)) from exc


def _problem(place: Place, text: str) -> JournalError:
    return JournalError([Note(place=place, text=text)])


def said(of: lines.Recorded, known: Mapping[str, str]) -> Sequence[object]:
    """Return what is to be the same in two ledgers; `known` are the ids of the one by those of the other."""
    if isinstance(of, lines.Price):
        return [of.currency, of.quote, of.price, of.effective_at]
    belongs = [None if each is UNSET else known.get(each, each) for each in (of.pending_of, of.reverses)]
    what = [of.status, of.reference, of.description, of.metadata, of.effective_at, of.expires_at, of.postings]
    return [*what, *belongs]
