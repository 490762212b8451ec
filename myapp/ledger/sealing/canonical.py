"""The one spelling of a JSON value, after RFC 8785: no spaces, members sorted by their names' UTF-16 code units.

Integers that may not fit in 53 bits are for the caller to spell as strings, as RFC 8785 advises. There are no
fractions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Value = None | bool | int | str | Sequence["Value"] | Mapping[str, "Value"]


def text(value: Value) -> str:
    """Return the value as canonical JSON."""
    spelled = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    # Python sorts by code point, which differs only beyond the first 65,536.
    return spelled if spelled.isascii() else json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"))


def time(of: datetime | None) -> str | None:
    """Return an instant in UTC, always with six digits of a second."""
    if of is None:
        return None
    return of.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _sorted(value: Value) -> Value:
    match value:
        case Mapping():
            return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
        case str() | None | bool() | int():
            return value
        case _:
            return [_sorted(each) for each in value]
