"""Stretches of time as whole days and what is left over of a day at either end. Pure; times are aware, days in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

# Times are kept to the microsecond, so that what is up to a time is what is before the next one.
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a day, or of two: `since` is in it and `until` is not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `since` on, before `until`; None leaves that end open."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def first_day(self) -> date | None:
        """Return the first day that is wholly within, as far as this end goes."""
        return None if self.since is None else _first_whole(self.since)

    @property
    def end_day(self) -> date | None:
        """Return the day after the last that is wholly within, as far as this end goes."""
        return None if self.until is None else self.until.astimezone(UTC).date()

    @property
    def has_whole_days(self) -> bool:
        return self.first_day is None or self.end_day is None or self.first_day < self.end_day

    @property
    def rests(self) -> Iterator[Stretch]:
        """Yield what is within besides the whole days."""
        if not self.has_whole_days:
            if self.since is not None and self.until is not None and self.since < self.until:
                yield Stretch(self.since, self.until)
            return
        if self.since is not None and self.first_day is not None and self.since < start_of(self.first_day):
            yield Stretch(self.since, start_of(self.first_day))
        if self.until is not None and self.end_day is not None and start_of(self.end_day) < self.until:
            yield Stretch(start_of(self.end_day), self.until)


def up_to(at: datetime | None) -> Span:
    """Return everything up to and including a time; everything for None."""
    return Span(until=None if at is None else at + TICK)


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _first_whole(since: datetime) -> date:
    day = since.astimezone(UTC).date()
    return day if start_of(day) == since else day + DAY
