"""How many connections each worker has, in memory that all of them see: who has more lets the others accept first.

All workers wait at the same queue, and whoever wakes first gets the connection. A busy one is late by itself; idle ones
would share a few long-lived connections as dice fall.
"""

from __future__ import annotations

import mmap
import tempfile
from typing import IO

_BYTES = 4
# Of a place with nobody in it: more than anybody has, so nobody waits for it.
_NOBODY = 2**32 - 1
# A share of one's own connections that is not worth waiting for: a difference of one counts among few alone.
_SHARE = 8


def make(count: int) -> IO[bytes]:
    """Return a file with a count for each place, nobody's yet; it has no name and ends with those who have it open."""
    # Its life is that of the process. (A context manager would end it here.)
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(_NOBODY.to_bytes(_BYTES, "little") * count)
    file.flush()
    return file


class Tally:
    """The counts, seen from one place."""

    def __init__(self, descriptor: int, place: int) -> None:
        self._counts = memoryview(mmap.mmap(descriptor, 0)).cast("I")
        self._place = place

    def set(self, count: int) -> None:
        """Say how many there are here."""
        self._counts[self._place] = count

    def forget(self) -> None:
        """Say that nobody is here."""
        self.set(_NOBODY)

    def is_ahead(self) -> bool:
        """Whether somebody else has clearly fewer."""
        own = self._counts[self._place]
        return own > min(self._counts) + own // _SHARE
