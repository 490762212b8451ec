"""Times as the walk has them, and as they are written: 2026-01-31T12:00:00.000000Z."""

from __future__ import annotations

from datetime import UTC, datetime

_NO_FRACTION = ".000000Z"
_MIDNIGHT = ("T00:00:00.000000Z", "T00:00:00Z")


def instant(text: str) -> str:
    """Return a time without a fraction of zero."""
    return text.replace(_NO_FRACTION, "Z")


def of(at: datetime) -> str:
    """Return a time as it is written."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def is_midnight(text: str) -> bool:
    """Say whether the day alone says it."""
    return text.endswith(_MIDNIGHT)
