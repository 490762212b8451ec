"""Read amounts and days as banks write them. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from myapp.scripts.bank.statements import Malformed

MINUS = "-\N{MINUS SIGN}\N{EN DASH}"
BLANKS = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
DIGITS_MAX = 40


def amount(text: str, *, decimal: str = ".", thousands: str = "") -> Decimal:
    """Return a signed amount: "1.234,56-", "(12.50)", "+7" and "- 3" are such.

    Raises:
        Malformed: it is none, or has other separators than these.
    """
    bare = text.strip(BLANKS + "\t")
    is_negative = False
    if bare.startswith("(") and bare.endswith(")"):
        is_negative, bare = True, bare[1:-1]
    elif bare[:1] and bare[0] in MINUS + "+":
        is_negative, bare = bare[0] in MINUS, bare[1:]
    elif bare[-1:] and bare[-1] in MINUS + "+":
        is_negative, bare = bare[-1] in MINUS, bare[:-1]
    number = Decimal(_plain(bare.strip(BLANKS), text, decimal, thousands))
    return -number if is_negative else number


def day(text: str, date_format: str) -> date:
    """Return the day of a text; what follows the day, as a time does, has to be in the format.

    Raises:
        Malformed: it is no such day.
    """
    try:
        parsed = datetime.strptime(text.strip(), date_format)  # noqa: DTZ007 (a day has no zone)
    except ValueError:
        raise Malformed(f"{text.strip()!r} is no day of the form {date_format}") from None
    if not 1900 <= parsed.year <= 2999:
        raise Malformed(f"{text.strip()!r} is in the year {parsed.year}")
    return parsed.date()


def _plain(bare: str, text: str, decimal: str, thousands: str) -> str:
    """Return the digits with a point, none of them grouped."""
    group = f"[{re.escape(BLANKS)}]" if thousands == " " else re.escape(thousands)
    grouped = rf"|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+" if thousands else ""
    found = re.fullmatch(rf"(?P<whole>[0-9]+{grouped})?(?:{re.escape(decimal)}(?P<rest>[0-9]*))?", bare)
    if found is None or not (found["whole"] or found["rest"]) or len(bare) > DIGITS_MAX:
        grouping = f" and {thousands!r} between thousands" if thousands else " and nothing between thousands"
        raise Malformed(f"{text.strip()!r} is no amount with {decimal!r} before its decimals{grouping}")
    whole = re.sub(group, "", found["whole"] or "0") if thousands else found["whole"] or "0"
    return f"{whole}.{found['rest'] or '0'}"
