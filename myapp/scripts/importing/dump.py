"""Read a ledger that was exported as NDJSON: checked whole before anything is loaded, then line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from myapp.api.exchange import lines
from myapp.scripts.importing.plan import JournalError, Note, Place

_decoder = msgspec.json.Decoder(lines.Line)


@dataclass(slots=True, kw_only=True)
class Dump:
    """What a file says before its transactions, and which of those others refer to."""

    path: Path
    ledger: lines.Ledger
    currencies: list[lines.Currency] = field(default_factory=list)
    accounts: list[tuple[Place, lines.Account]] = field(default_factory=list)
    referred: set[str] = field(default_factory=set)
    total: int = 0

    def transactions(self) -> Iterator[tuple[Place, lines.Transaction]]:
        """Yield the transactions as they were recorded."""
        for place, line in _lines(self.path):
            if isinstance(line, lines.Transaction):
                yield place, line


def read(path: Path) -> Dump:
    """Read the file once, to its end.

    Raises:
        JournalError: it is no such file, of a newer kind, or not whole.
    """
    found = _lines(path)
    place, first = next(found, (Place(file=str(path), line=0), None))
    if not isinstance(first, lines.Ledger):
        raise _problem(place, "is no export as NDJSON: its first line is no ledger")
    if first.version > lines.VERSION:
        raise _problem(place, f"is of version {first.version}; this program reads up to {lines.VERSION}")
    dump = Dump(path=path, ledger=first)
    total, postings = None, 0
    for place, line in found:
        if isinstance(line, lines.Currency):
            dump.currencies.append(line)
        elif isinstance(line, lines.Account):
            dump.accounts.append((place, line))
        elif isinstance(line, lines.Transaction):
            dump.total += 1
            postings += len(line.postings)
            dump.referred |= {each for each in (line.pending_of, line.reverses) if isinstance(each, str)}
        else:
            total = line
    if total != lines.Total(transactions=dump.total, postings=postings):
        raise _problem(Place(file=str(path), line=0), "is not whole: export it again")
    return dump


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


def _problem(place: Place, text: str) -> JournalError:
    return JournalError([Note(place=place, text=text)])


def said(of: lines.Transaction, known: dict[str, str]) -> Sequence[object]:
    """Return what is to be the same in two ledgers; `known` are the ids of the one by those of the other."""
    refers = [known.get(each, each) if isinstance(each, str) else None for each in (of.pending_of, of.reverses)]
    postings = [
        (each.account, each.currency, each.debit or None, each.credit or None, each.effect or None)
        for each in of.postings
    ]
    return [of.status, of.reference, of.description, of.metadata, *refers, postings]
