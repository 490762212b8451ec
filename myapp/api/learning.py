"""Have msgspec learn the types that cross the wire before several threads want them.

It learns a type at its first use, field by field, and other threads see it half learnt: one that decodes into it then
ends the process (SIGSEGV, in msgspec 0.22 under its first searches at once).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

PACKAGE = __name__.split(".", maxsplit=1)[0]


def learn() -> None:
    """Learn each type of ours that was imported so far, whole."""
    for kind in kinds():
        msgspec.json.Decoder(kind)


def kinds() -> Iterator[type[msgspec.Struct]]:
    """Return the types of this package."""
    found: list[type[msgspec.Struct]] = [msgspec.Struct]
    while found:
        below = found.pop().__subclasses__()
        found += below
        yield from (kind for kind in below if kind.__module__.startswith(f"{PACKAGE}."))
