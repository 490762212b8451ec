"""Journals that others wrote, as they are and as docs/import.md says to prepare them.

A file is a journal by its name; in a `.test` of hledger's, each input is one. Accounts get the type that they lack,
symbols become codes, and virtual postings are taken out.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests import hledger

SUFFIXES = (".journal", ".j", ".hledger", ".ledger", ".dat")
# From `<` to the command that reads it, or to what is expected of one.
INPUT = re.compile(r"^<[^\n]*\n(?P<text>.*?)(?=^(?:\$|>)|\Z)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"[A-Z][A-Z0-9._-]{0,23}")
TYPES = "ALERX"
HLEDGER_TYPES = "ACLEVRX"


@dataclass(frozen=True)
class Prepared:
    """A journal of transactions: the file hledger reads, what it prints of it, and how it is asked about the same."""

    path: Path
    printed: Sequence[Any]
    # hledger's commodities by the codes that were put for them.
    symbols: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()

    @property
    def postings(self) -> Sequence[Any]:
        return [posting for each in self.printed for posting in each["tpostings"]]

    @property
    def dates(self) -> Sequence[tuple[date, date]]:
        """Return each line's day in a ledger, which is its transaction's, and its day in hledger's reports."""
        pairs = [
            (each["tdate"], posting["pdate"] or each["tdate"]) for each in self.printed for posting in each["tpostings"]
        ]
        return [(date.fromisoformat(ours), date.fromisoformat(theirs)) for ours, theirs in pairs]


def different(directory: Path, into: Path) -> Iterator[Path]:
    """Yield the journals of a directory, of those that say the same only the first."""
    seen = set()
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        for journal in [path] if path.suffix in SUFFIXES else _inputs(path, into) if path.suffix == ".test" else ():
            digest = hashlib.sha256(journal.read_bytes()).digest()
            if digest not in seen:
                seen.add(digest)
                yield journal


def read(path: Path) -> Prepared | None:
    """Return the journal as it is, or None where hledger refuses it."""
    printed = hledger.ask(path, "print", "--output-format=json")
    return None if printed is None else Prepared(path, json.loads(printed))


def with_types(path: Path, into: Path) -> Path:
    """Return a journal that includes this one and declares all its accounts; those without a type get their root's.

    hledger 1.25 lists accounts with their types as they are declared or follow from the name, but each section of a
    statement has either what is declared alone or, where nothing is of that type, what is named so, be it declared as
    something else. So an account without lines is declared of each type.
    """
    letters = hledger.types(path)
    roots = sorted({name.partition(":")[0] for name, letter in letters.items() if not letter})
    given = dict(zip(roots, itertools.cycle(TYPES), strict=False))
    lines = [f"account {name}  ; type:{letter or given[name.partition(':')[0]]}" for name, letter in letters.items()]
    lines += [f"account without lines:{letter}  ; type:{letter}" for letter in HLEDGER_TYPES]
    journal = into / f"typed-{path.stem}.journal"
    # Of each type, what was declared last replaces what other files declared.
    journal.write_text("\n".join([f"include {path}", *lines, ""]), encoding="utf-8")
    return journal


def prepare(path: Path) -> Prepared:
    """Return a journal that has types without its virtual postings, and with codes for its symbols."""
    as_it_is = read(path)
    assert as_it_is is not None, path
    is_virtual = any(each["ptype"] != "RegularPosting" for each in as_it_is.postings)
    if is_virtual:
        for each in as_it_is.printed:
            each["tpostings"] = [posting for posting in each["tpostings"] if posting["ptype"] == "RegularPosting"]
    kept = [each for each in as_it_is.printed if each["tpostings"]]
    found = sorted({each["acommodity"] for each in _amounts(kept)})
    codes = {code: code if CODE.fullmatch(code) else f"SYMBOL{number}" for number, code in enumerate(found)}
    for each in _amounts(kept):
        each["acommodity"] = codes[each["acommodity"]]
    symbols = {code: symbol for symbol, code in codes.items()}
    return Prepared(path, kept, symbols, ["--real"] if is_virtual else [])


def _inputs(path: Path, into: Path) -> Iterator[Path]:
    for number, each in enumerate(INPUT.finditer(path.read_text(encoding="utf-8", errors="replace"))):
        journal = into / f"{path.stem}-{number}.journal"
        journal.write_text(each["text"], encoding="utf-8")
        yield journal


def _amounts(printed: Sequence[Any]) -> Iterator[Any]:
    """Yield the amounts and what they cost."""
    for each in printed:
        for posting in each["tpostings"]:
            for amount in posting["pamount"]:
                yield amount
                if amount["aprice"] is not None:
                    yield amount["aprice"]["contents"]
