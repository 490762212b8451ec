"""The grains of the period totals: days and months, in UTC, each told by its first day. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

DAY = timedelta(days=1)
# Longer than any month.
MONTH_MAX = timedelta(days=31)


class Grain(StrEnum):
    """How long a period is."""

    DAY = "day"
    MONTH = "month"

    def of(self, day: date) -> date:
        """Return the first day of the period that a day is in."""
        return day if self is Grain.DAY else day.replace(day=1)

    def up(self, moment: datetime) -> datetime:
        """Return the first beginning of a period that is not before a moment."""
        first = start_of(self.of(day_of(moment)))
        return first if first >= moment else start_of(self.of(first.date() + (DAY if self is Grain.DAY else MONTH_MAX)))


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
