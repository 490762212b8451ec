"""A stretch of ids, which is one of recorded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The ids from `since` up to, and without, `before`; None leaves that end open."""

    since: UUID | None = None
    before: UUID | None = None

    def up_to(self, before: UUID | None) -> Span:
        """Return the part of it before an id."""
        if before is None or (self.before is not None and self.before < before):
            return self
        return Span(since=self.since, before=before)

    def holds(self, column: sa.ColumnElement[Any]) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what is true of an id in it."""
        if self.since is not None:
            yield column >= self.since
        if self.before is not None:
            yield column < self.before

    def has(self, id: UUID) -> bool:  # noqa: A002
        """Say whether an id is in it."""
        return (self.since is None or id >= self.since) and (self.before is None or id < self.before)
