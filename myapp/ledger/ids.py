"""Make ids that sort by time: UUIDv7, in the order of the batch they are made for.

Bits: 48 of milliseconds, 12 of the fraction of the millisecond, 20 of a counter, 42 of randomness, and the six that
RFC 9562 fixes (section 6.2, methods 1 and 3).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
VERSION = 7 << 76
VARIANT = 0b10 << 62
COUNTER_MAX = (1 << 20) - 1
RANDOM_BITS = 42


def new_id(now: datetime) -> UUID:
    """Return one id made at `now`."""
    return new_ids(now, 1)[0]


def new_ids(now: datetime, count: int) -> Sequence[UUID]:
    """Return ids made at `now` (aware, 1970 or later) that sort in their order here."""
    if count > COUNTER_MAX:
        raise ValueError(f"{count} ids at once do not fit in the counter; make at most {COUNTER_MAX}.")
    base = first_id(now).int
    return [UUID(int=base | place << RANDOM_BITS | secrets.randbits(RANDOM_BITS)) for place in range(count)]


def first_id(at: datetime) -> UUID:
    """Return the least id that can be made at a time; all made earlier, to the microsecond, are below it."""
    if at < EPOCH:
        return UUID(int=0)
    milliseconds, rest = divmod(at - EPOCH, MILLISECOND)
    # A microsecond is four steps of this and a bit, so no two of them are the same.
    fraction = (rest // MICROSECOND << 12) // 1000
    return UUID(int=milliseconds << 80 | VERSION | fraction << 64 | VARIANT)
