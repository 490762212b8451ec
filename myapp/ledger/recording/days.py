"""What a request adds to the day totals: for each balance and each effective day of its lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date

from myapp.ledger.plan import NOTHING, Totals
from myapp.ledger.recording.request import Request

# Where an element is found: the place of its slot, and the effective day in UTC.
SlotDay = tuple[int, date]


def totals(request: Request) -> Mapping[SlotDay, Totals]:
    """Return what the request adds, by slot and day."""
    days = [entry.effective_at.astimezone(UTC).date() for entry in request.entries]
    if len(set(days)) == 1:
        return {(place, days[0]): slot.total for place, slot in enumerate(request.plan.slots)}
    added: dict[SlotDay, Totals] = {}
    for line in request.plan.lines:
        key = (line.slot, days[line.transaction])
        added[key] = added.get(key, NOTHING).plus(line.side, line.amount, line.effect)
    return added
