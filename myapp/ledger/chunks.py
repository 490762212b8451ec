"""Keys in portions that one statement takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
KEYS_MAX = 10_000


def of(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Return the keys in portions; one empty portion where there is no key."""
    for start in range(0, max(1, len(keys)), KEYS_MAX):
        yield keys[start : start + KEYS_MAX]
