"""Keys in portions that one statement takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
KEYS_MAX = 10_000


def of(keys: Sequence[T], *, times: int = 1) -> Iterator[Sequence[T]]:
    """Return the keys in portions, for a statement that names each so many times; where there is no key, one empty."""
    size = KEYS_MAX // times
    for start in range(0, max(1, len(keys)), size):
        yield keys[start : start + size]
