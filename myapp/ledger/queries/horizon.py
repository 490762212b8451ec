"""From when a ledger is looked at: from now, or from an earlier recorded time, as it was known then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from myapp.ledger import ids
from myapp.ledger.queries import spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """By the clock `now` holds expire; ids from `end` on are not known yet, None is without end."""

    now: datetime
    end: UUID | None = None

    def knows(self, id: UUID) -> bool:  # noqa: A002
        return self.end is None or id < self.end


def at(known_at: datetime | None, *, now: datetime) -> Horizon:
    """Return what was known at a recorded time, inclusive; for None what is known now.

    An id tells to the microsecond when it was recorded (ids.py). What is to come is not known yet.
    """
    if known_at is None:
        return Horizon(now=now)
    return Horizon(now=min(known_at, now), end=ids.first_id(known_at + spans.TICK))
