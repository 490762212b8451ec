"""What a request adds to the period totals: for each balance, and each day and month in which its lines count. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from myapp.ledger import grains
from myapp.ledger.grains import Grain
from myapp.ledger.plan import NOTHING, Totals
from myapp.ledger.recording.request import Request


class Period(NamedTuple):
    """The place of a slot, and the period in which its lines count."""

    slot: int
    grain: Grain
    effective_from: date


def totals(request: Request) -> Mapping[Period, Totals]:
    """Return what the request adds, by slot and period."""
    days = [grains.day_of(entry.effective_at) for entry in request.entries]
    if len(set(days)) == 1:
        starts = [(grain, grain.of(days[0])) for grain in Grain]
        return {
            Period(place, grain, start): slot.total
            for place, slot in enumerate(request.plan.slots)
            for grain, start in starts
        }
    added: dict[Period, Totals] = {}
    for line in request.plan.lines:
        for grain in Grain:
            key = Period(line.slot, grain, grain.of(days[line.transaction]))
            added[key] = added.get(key, NOTHING).plus(line.side, line.amount, line.effect)
    return added
