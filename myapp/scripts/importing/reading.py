"""Read a journal file with Beancount's own loader: includes, plugins, booking, padding and checks are Beancount's.

A journal may name plugins, which are Python code that Beancount runs: load only journals you trust.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from beancount.core import amount, data, interpolate

from myapp.scripts.importing import apart
from myapp.scripts.importing.plan import JournalError, Note, Place

CRASHED = (
    "Beancount, or a plugin, crashed on it or on a file that it includes ({how}). Look for an amount that divides by "
    "zero or has very many digits; else load half of its entries, then half of that half, until the one is found."
)

_NO_LINE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What Beancount made of a file.

    Shape: entries by date; `failed` are the places of balance directives that do not hold in the journal itself.
    """

    entries: Sequence[data.Directive]
    options: Mapping[str, object]
    failed: frozenset[Place]


def read(path: Path, *, load: Callable[[str], apart.Loaded] = apart.load) -> Journal:
    """Load a journal, by default in a process of its own.

    Raises:
        JournalError: the file cannot be read, has nothing in it, or Beancount crashes on it or finds errors in it. A
            balance directive that fails is no such error: the ledger is asked about it once the journal is loaded.
    """
    _require_text(path)
    try:
        entries, found, options = load(str(path))
    except apart.Crash as exc:
        raise JournalError([_about_file(path, CRASHED.format(how=exc))]) from exc
    failed = frozenset(place_of(entry.meta) for entry in entries if _is_failed_balance(entry))
    problems = [_problem(path, error) for error in found if not _is_about(error, failed)]
    if problems:
        raise JournalError(sorted(problems, key=lambda problem: (problem.place.file, problem.place.line)))
    if not entries:
        raise JournalError([_about_file(path, "has no entries; is it a Beancount journal?")])
    return Journal(entries=entries, options=options, failed=failed)


def place_of(meta: Mapping[str, object] | None) -> Place:
    """Return where an entry is written, which an entry made by a plugin may not say."""
    meta = meta or {}
    line = meta.get("lineno")
    return Place(file=str(meta.get("filename", "<unknown>")), line=line if isinstance(line, int) else _NO_LINE)


def amount_of(units: amount.Amount | None) -> tuple[Decimal, str]:
    """Return the number and the currency of an amount, which Beancount's loader has completed."""
    if units is None or units.number is None:
        raise TypeError("Beancount left an amount incomplete and reported no error.")
    return units.number, units.currency


def _require_text(path: Path) -> None:
    if path.is_dir():
        raise JournalError([_about_file(path, "is a directory; name the journal's main file")])
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise JournalError([_about_file(path, f"cannot be read: {exc.strerror or exc}")]) from exc
    if path.suffix in (".gpg", ".asc"):
        return
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise JournalError([Note(place=Place(file=str(path), line=line), text="is not UTF-8 text")]) from exc


def _about_file(path: Path, text: str) -> Note:
    return Note(place=Place(file=str(path), line=_NO_LINE), text=text)


def _is_failed_balance(entry: data.Directive) -> bool:
    return isinstance(entry, data.Balance) and entry.diff_amount is not None


def _is_about(error: data.BeancountError, failed: frozenset[Place]) -> bool:
    return isinstance(error, interpolate.BalanceError) and place_of(error.source) in failed


def _problem(path: Path, error: data.BeancountError) -> Note:
    place = place_of(error.source)
    if not Path(place.file).is_absolute():
        place = Place(file=str(path), line=_NO_LINE)
    return Note(place=place, text=_in_one_line(error.message))


def _in_one_line(message: str) -> str:
    """Return the message, and of a plugin's traceback its last line alone."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if "Traceback" in lines[0]:
        lines = [lines[0].partition("Traceback")[0].strip(), lines[-1]]
    return " ".join(lines)
