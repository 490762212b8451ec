"""Read `P` lines, as `hledger prices` prints them: hledger's JSON has none.

An export of our own has such lines as well, with the time of the day in a comment that `hledger prices` leaves off. So
a whole journal can be read here, and everything in it but these lines is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from myapp.api.exchange import notes
from myapp.ledger import model
from myapp.scripts.importing import own
from myapp.scripts.importing.plan import JournalError, Note, Place, PlannedPrice

_SYMBOL = r'(?:"(?P<{0}_quoted>[^"]+)"|(?P<{0}>[^\s";]+))'
_LINE = re.compile(
    rf"P (?P<day>\d{{4}}-\d{{2}}-\d{{2}}) {_SYMBOL.format('currency')} (?P<price>\d+(?:\.\d*)?) "
    rf"{_SYMBOL.format('quote')}(?:\s+;\s*(?:{notes.TIME}:(?P<at>\S+)|.*))?\s*",
    re.ASCII,
)


def read(path: Path) -> Sequence[PlannedPrice]:
    """Read the file's prices, in their order.

    Raises:
        JournalError: it cannot be read, has none, or has one that is written in another way; each line is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise _error(path, 0, f"cannot be read: {exc}") from exc
    found = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.startswith("P ")]
    if not found:
        raise _error(path, 0, "has no `P` lines")
    return [_price(Place(file=str(path), line=number), line) for number, line in found]


def _price(place: Place, line: str) -> PlannedPrice:
    told = _LINE.fullmatch(line)
    if told is None:
        raise _error(
            place.file, place.line, "is no price as `hledger prices` prints it, like P 2026-01-31 EUR 1.08 USD"
        )
    try:
        day = datetime.fromisoformat(told["day"]).replace(tzinfo=UTC)
        at = own.Noted(own={} if told["at"] is None else {notes.TIME: told["at"]}).effective_at(day)
    except ValueError as exc:
        raise _error(place.file, place.line, f"cannot read its time: {exc}") from exc
    wanted = model.NewPrice(
        currency=told["currency_quoted"] or told["currency"],
        quote=told["quote_quoted"] or told["quote"],
        price=Decimal(told["price"]),
        effective_at=at,
    )
    return PlannedPrice(place=place, wanted=wanted)


def _error(file: str | Path, line: int, text: str) -> JournalError:
    return JournalError([Note(place=Place(file=str(file), line=line), text=text)])
