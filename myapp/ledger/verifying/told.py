"""Rows that never change, and the events that told of them: each pair has one id and says the same.

Read in portions by id, rows and events up to the same one, so a portion sees neither alone because of where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import EventType, Ledger
from myapp.ledger.sealing import canonical
from myapp.ledger.tables import events
from myapp.ledger.verifying import payloads
from myapp.ledger.verifying.check import Part
from myapp.ledger.verifying.payloads import Payload

ROWS_AT_ONCE = 1_000

# Says of rows, in their order, what their events should, and when.
Expect = Callable[[Session, Ledger, Sequence[AnyRow]], Iterable[Payload]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A table, the events of its rows, and what each says of its row; `word` is what a row is called.

    `spell` returns a payload as rows are spelled, which is as it is, unless given.
    """

    word: str
    table: sa.Table
    kind: EventType
    expect: Expect
    spell: Callable[[Payload], Payload] = dict

    def agree(self, session: Session, ledger: Ledger, after: UUID | None) -> Part:
        """Compare the next portion, the rows and the events after that id."""
        rows = _next(session, self.table, ledger, after)
        told = _next(session, events, ledger, after, events.c.type == self.kind.value)
        ends = [each[-1].id for each in (rows, told) if len(each) == ROWS_AT_ONCE]
        end = min(ends, default=None)
        if end is not None:
            rows, told = ([row for row in each if row.id <= end] for each in (rows, told))
        return Part(
            compared={self.word + "s": len(rows)},
            violations=list(self._compare(session, ledger, rows, told)),
            next=end,
        )

    def violations_of(self, session: Session, ledger: Ledger, told: Sequence[AnyRow]) -> Iterator[str]:
        """Compare these events, of any kind, with their rows."""
        mine = [event for event in told if event.type == self.kind.value]
        rows: list[AnyRow] = []
        for some in chunks.of([event.id for event in mine]):
            if some:
                query = sa.select(self.table).where(self.table.c.ledger_id == ledger.id, self.table.c.id.in_(some))
                rows += session.execute(query).all()
        return self._compare(session, ledger, rows, mine)

    def _compare(
        self, session: Session, ledger: Ledger, rows: Sequence[AnyRow], told: Sequence[AnyRow]
    ) -> Iterator[str]:
        wanted = dict(zip((row.id for row in rows), self.expect(session, ledger, rows), strict=True))
        for event in told:
            expected = wanted.pop(event.id, None)
            if expected is None:
                yield f"{self.word} {event.id} is gone"
            elif expected != {**self.spell(payloads.of(event)), **at(event.recorded_at)}:
                yield f"{self.word} {event.id} is not as its event says"
        for row_id in wanted:
            yield f"{self.word} {row_id} was recorded by no event"


def at(recorded: datetime) -> Payload:
    """Return when an event was recorded, as a member beside those of its payload."""
    return {"recorded_at": canonical.time(recorded)}


def _next(
    session: Session, table: sa.Table, ledger: Ledger, after: UUID | None, *conditions: sa.ColumnElement[bool]
) -> Sequence[AnyRow]:
    query = sa.select(table).where(table.c.ledger_id == ledger.id, *conditions)
    if after is not None:
        query = query.where(table.c.id > after)
    return session.execute(query.order_by(table.c.id).limit(ROWS_AT_ONCE)).all()
