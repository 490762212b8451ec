"""Read what `hledger print -O json` prints: the parts that a ledger has a place for.

Numbers are whole mantissas and decimal places; the floating points beside them are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from myapp.scripts.importing.plan import JournalError, Note, Place

# Wider than anything a ledger holds, and narrow enough that sums stay exact.
DIGITS_MAX = 100
MANTISSA_END = 10**DIGITS_MAX
Places = Annotated[int, msgspec.Meta(ge=0, le=255)]
Status = Literal["Unmarked", "Pending", "Cleared"]
Tags = list[tuple[str, str]]


class Quantity(msgspec.Struct, rename="camel"):
    decimal_mantissa: int
    decimal_places: Places

    @property
    def number(self) -> Decimal:
        """Return the number as it is, whatever the decimal context."""
        digits = tuple(int(digit) for digit in str(abs(self.decimal_mantissa)))
        return Decimal((int(self.decimal_mantissa < 0), digits, -self.decimal_places))


class Style(msgspec.Struct):
    asprecision: Places | None = None


class Cost(msgspec.Struct):
    """`UnitPrice` or `TotalPrice`; later versions say Cost for Price."""

    tag: Literal["UnitPrice", "TotalPrice", "UnitCost", "TotalCost"]
    contents: Amount

    @property
    def is_total(self) -> bool:
        return self.tag.startswith("Total")


class Amount(msgspec.Struct):
    acommodity: str
    aquantity: Quantity
    astyle: Style
    aprice: Cost | None = None
    acost: Cost | None = None

    @property
    def cost(self) -> Cost | None:
        return self.acost or self.aprice


class Posting(msgspec.Struct):
    paccount: str
    pamount: list[Amount]
    ptype: Literal["RegularPosting", "BalancedVirtualPosting", "VirtualPosting"]
    pstatus: Status = "Unmarked"
    pcomment: str = ""
    pdate: date | None = None
    pdate2: date | None = None
    ptags: Tags = []
    pbalanceassertion: object = None


class Position(msgspec.Struct, rename="camel"):
    source_name: str
    source_line: int


class Transaction(msgspec.Struct):
    tdate: date
    tpostings: list[Posting]
    tindex: int = 0
    tdate2: date | None = None
    tstatus: Status = "Unmarked"
    tcode: str = ""
    tdescription: str = ""
    tcomment: str = ""
    ttags: Tags = []
    tsourcepos: list[Position] = []

    @property
    def place(self) -> Place:
        """Return where the journal that was printed has it."""
        if not self.tsourcepos:
            return Place(file=f"transaction {self.tindex}", line=0)
        return Place(file=self.tsourcepos[0].source_name, line=self.tsourcepos[0].source_line)


_decoder = msgspec.json.Decoder(list[Transaction])


def read(path: Path) -> Sequence[Transaction]:
    """Read the file.

    Raises:
        JournalError: it cannot be read, is not what hledger prints, or has nothing in it.
    """
    place = Place(file=str(path), line=0)
    try:
        found = _decoder.decode(path.read_bytes())
    except OSError as exc:
        raise JournalError([Note(place=place, text=f"cannot be read: {exc.strerror or exc}")]) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        text = f"is not what `hledger print -O json` prints: {exc}"
        raise JournalError([Note(place=place, text=text)]) from exc
    if not found:
        raise JournalError([Note(place=place, text="has no transactions")])
    problems = [
        Note(place=each.place, text="an amount has more digits than any ledger holds")
        for each in found
        if any(abs(number) >= MANTISSA_END for number in _mantissas(each))
    ]
    if problems:
        raise JournalError(problems)
    return found


def _mantissas(of: Transaction) -> Sequence[int]:
    amounts = [amount for posting in of.tpostings for amount in posting.pamount]
    costs = [amount.cost.contents for amount in amounts if amount.cost is not None]
    return [amount.aquantity.decimal_mantissa for amount in (*amounts, *costs)]
