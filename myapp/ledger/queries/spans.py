"""What was recorded by a time and counts in a stretch of time, as a sum of pieces that are cheap to read. Pure.

Each bound is moved up to the end of its month, and what that has brought in is taken away again, in days, and of the
last day in moments. So a piece of months is added and the pieces beyond the bounds are subtracted; what is beyond a
bound that is now is next to nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from myapp.ledger.grains import Grain

# Times are kept to the microsecond, so that what is up to a time is what is before the next one.
TICK = timedelta(microseconds=1)
# From coarse to fine; None is to the moment.
GRAINS = (Grain.MONTH, Grain.DAY, None)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `since` on, before `until`; None leaves that end open."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self.since is not None and self.until is not None and self.since >= self.until

    def up(self, grain: Grain | None) -> Stretch:
        """Return it with both ends moved up to the grain."""
        return Stretch(_up(grain, self.since), _up(grain, self.until))


@dataclass(frozen=True, slots=True)
class Piece:
    """What counts in one stretch and was recorded in another, both of whole periods of the grain."""

    grain: Grain | None
    is_added: bool
    effective: Stretch
    recorded: Stretch

    @property
    def is_beyond_recorded(self) -> bool:
        """Say whether the recorded time is what is short."""
        return self.recorded.since is not None


def up_to(at: datetime | None) -> Stretch:
    """Return everything up to and including a time; everything for None."""
    return Stretch(until=None if at is None else at + TICK)


def pieces(effective: Stretch, recorded: Stretch) -> Iterator[Piece]:
    """Yield what is in both stretches as pieces; `recorded` has no `since`."""
    if effective.is_empty:
        return
    levels = [(grain, effective.up(grain), recorded.up(grain)) for grain in GRAINS]
    grain, whole, known = levels[0]
    if not whole.is_empty:
        yield Piece(grain, True, whole, known)
    for (_, whole, known), (grain, finer, finer_known) in itertools.pairwise(levels):
        for is_added, stretch in _differences(whole, finer):
            yield Piece(grain, is_added, stretch, finer_known)
        if not whole.is_empty and finer_known != known:
            yield Piece(grain, False, whole, Stretch(finer_known.until, known.until))


def _differences(whole: Stretch, finer: Stretch) -> Iterator[tuple[bool, Stretch]]:
    """Yield what has to be added to the whole, and taken from it, to come to the finer."""
    if whole.is_empty:
        if not finer.is_empty:
            yield True, finer
        return
    if finer.since != whole.since:
        yield True, Stretch(finer.since, whole.since)
    if finer.until != whole.until:
        yield False, Stretch(finer.until, whole.until)


def _up(grain: Grain | None, moment: datetime | None) -> datetime | None:
    return moment if grain is None or moment is None else grain.up(moment)
