"""Fit the words of a journal into what a ledger holds of description and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KEY_LENGTH_MAX = 100
VALUE_LENGTH_MAX = 1_000
ENTRIES_MAX = 50
DESCRIPTION_LENGTH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """Text as a ledger holds it, and what had to be left off for it."""

    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


def fit(description: str, pairs: Iterable[tuple[str, str]]) -> Fitted:
    """Return what fits, and what had to be left off."""
    lost: list[str] = []
    metadata: dict[str, str] = {}
    for key, value in pairs:
        if len(metadata) == ENTRIES_MAX or len(key) > KEY_LENGTH_MAX:
            lost.append(f"left out {key}: there is room for {ENTRIES_MAX} notes")
        else:
            metadata[key] = _shortened(key, value, VALUE_LENGTH_MAX, lost)
    fitted = _shortened("the description", description, DESCRIPTION_LENGTH_MAX, lost)
    return Fitted(description=fitted or None, metadata=metadata, lost=tuple(lost))


def _shortened(name: str, text: str, length_max: int, lost: list[str]) -> str:
    # PostgreSQL cannot store it.
    if "\x00" in text:
        lost.append(f"took U+0000 out of {name}")
        text = text.replace("\x00", "")
    if len(text) > length_max:
        lost.append(f"shortened {name} to {length_max} characters")
    return text[:length_max]
