"""Walk a whole ledger, or the transactions of a period, in memory that does not grow with it.

The transactions come by a cursor, a portion at a time, and the postings of each portion by key, so that no statement's
plan depends on what the planner believes of the ledger: Note [Plans for a new ledger] in queries/__init__.py. What is
only passed on is read as text, since a million UUIDs and times are dear to make: ids as `Entry` says, times as
2026-01-31T12:00:00.000000Z, metadata as JSON.

Each statement may have a snapshot of its own; whoever wants one for all asks for REPEATABLE READ.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import tables
from myapp.ledger.model import Ledger, Status

holds, postings, transactions = tables.holds, tables.postings, tables.transactions

PORTION = 1_000
# Of one portion; more are read in several.
POSTINGS_MAX = 20_000

# A column read as the database writes it, or a bound value of its type.
_Column = sa.ColumnElement[Any]


class Order(enum.StrEnum):
    """By recorded time, or by effective time and then by recorded time."""

    RECORDED = "recorded"
    EFFECTIVE = "effective"


class Entry(NamedTuple):
    """A transaction as it was recorded: a hold is `pending` whatever became of it.

    What gave a hold back has the status that the hold has since, `voided` or `expired`.
    """

    id: str
    reference: str | None
    status: str
    description: str | None
    effective_at: str
    recorded_at: str
    metadata: str
    pending_of: str | None
    reverses: str | None
    expires_at: str | None


# transaction, account (both as `Walk.key_of` has them), currency, side, amount in the smallest unit, effect
Line = tuple[object, object, str, str, int, str]


class Period(NamedTuple):
    """Effective times; `end` is exclusive, None leaves that end open."""

    start: datetime | None = None
    end: datetime | None = None


class Walk:
    """One way through a ledger."""

    def __init__(self, session: Session, ledger: Ledger, *, period: Period = Period()) -> None:  # noqa: B008
        self._session = session
        self._is_sqlite = session.get_bind().dialect.name == "sqlite"
        self._ledger = ledger
        self._of_period = [transactions.c.ledger_id == ledger.id]
        if period.start is not None:
            self._of_period.append(transactions.c.effective_at >= period.start)
        if period.end is not None:
            self._of_period.append(transactions.c.effective_at < period.end)

    def key_of(self, id: UUID) -> object:  # noqa: A002
        """Return an id as the lines have it."""
        return id.bytes if self._is_sqlite else str(id)

    def ends(self) -> tuple[datetime, datetime] | None:
        """Return the first and the last effective time, or None where nothing is recorded."""
        at = transactions.c.effective_at
        first, last = self._session.execute(sa.select(sa.func.min(at), sa.func.max(at)).where(*self._of_period)).one()
        return None if first is None else (first, last)

    def entries(self, order: Order) -> Iterator[tuple[Entry, Sequence[Line]]]:
        """Yield each transaction with its postings by line."""
        query = sa.select(*self._columns()).where(*self._of_period)
        if order is Order.EFFECTIVE:
            query = query.order_by(transactions.c.effective_at)
        found = self._session.execute(query.order_by(transactions.c.id).execution_options(yield_per=PORTION))
        for portion in found.partitions(PORTION):
            yield from self._with_lines([Entry._make(row) for row in portion])

    def _columns(self) -> Sequence[_Column]:
        of = transactions.c
        metadata = sa.type_coerce(of.metadata, sa.Text) if self._is_sqlite else sa.cast(of.metadata, sa.Text)
        return (
            self._id(of.id),
            of.reference,
            of.status,
            of.description,
            self._time(of.effective_at),
            self._time(of.recorded_at),
            metadata,
            self._id(of.pending_of).label("pending_of"),
            self._id(of.reverses),
            self._time(of.expires_at),
        )

    def _with_lines(self, portion: Sequence[Entry]) -> Iterator[tuple[Entry, Sequence[Line]]]:
        """Read the postings of a portion, whose ids are keys; where they are too many, of each half."""
        lines = self._lines([entry.id for entry in portion])
        if len(lines) > POSTINGS_MAX and len(portion) > 1:
            half = len(portion) // 2
            del lines
            yield from self._with_lines(portion[:half])
            yield from self._with_lines(portion[half:])
            return
        by_transaction: dict[object, list[Line]] = {entry.id: [] for entry in portion}
        for line in lines:
            by_transaction[line[0]].append(line)
        ends = self._ends([entry.pending_of for entry in portion if _is_release(entry)])
        for entry in portion:
            told = entry._replace(status=ends[entry.pending_of]) if _is_release(entry) else entry
            yield _with_texts(told) if self._is_sqlite else told, by_transaction[entry.id]

    def _lines(self, keys: Sequence[object]) -> Sequence[Line]:
        of = postings.c
        query = sa.select(
            self._id(of.transaction_id), self._id(of.account_id), of.currency, of.side, of.amount, of.effect
        ).where(of.ledger_id == self._ledger.id, self._is_among(of.transaction_id))
        query = query.order_by(of.transaction_id, of.line).limit(POSTINGS_MAX + 1)
        # Past the session, which would have a stream's every query read by a cursor on the server.
        rows: Sequence[Any] = self._session.connection().execute(query, {"keys": self._bound(keys)}).all()
        return rows

    def _ends(self, keys: Sequence[object]) -> Mapping[object, str]:
        """Return how holds have ended."""
        if not keys:
            return {}
        of = holds.c
        query = sa.select(self._id(of.transaction_id), of.state)
        query = query.where(of.ledger_id == self._ledger.id, self._is_among(of.transaction_id))
        # As in `_lines`.
        found = self._session.connection().execute(query, {"keys": self._bound(keys)})
        return {row[0]: row[1] for row in found}

    def _is_among(self, column: _Column) -> sa.ColumnElement[bool]:
        if self._is_sqlite:
            return sa.type_coerce(column, sa.LargeBinary).in_(sa.bindparam("keys", expanding=True))
        # A query of its own is read once; where the keys are no condition of an index, the cast would be for each row.
        keys = sa.select(sa.cast(sa.bindparam("keys", type_=sa.Text()), postgresql.ARRAY(sa.Uuid())))
        return column == sa.any_(sa.cast(keys.scalar_subquery(), postgresql.ARRAY(sa.Uuid())))

    def _bound(self, keys: Sequence[Any]) -> object:
        """Return keys as they are bound: an array as its text, where the driver would look at each for quotes."""
        return keys if self._is_sqlite else f"{{{','.join(keys)}}}"

    def _id(self, column: _Column) -> _Column:
        return sa.type_coerce(column, sa.LargeBinary) if self._is_sqlite else sa.cast(column, sa.Text)

    def _time(self, column: _Column) -> _Column:
        if self._is_sqlite:
            return sa.type_coerce(column, sa.Text)
        return sa.func.to_char(sa.func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')


def _is_release(entry: Entry) -> bool:
    return entry.pending_of is not None and entry.status == Status.PENDING


def _with_texts(entry: Entry) -> Entry:
    """Return an entry with texts for SQLite's keys."""
    return entry._replace(
        id=_id_text(entry.id), pending_of=_id_text(entry.pending_of), reverses=_id_text(entry.reverses)
    )


def _id_text(key: Any) -> Any:
    """Return SQLite's bytes of a UUID as its text."""
    if key is None:
        return None
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def read_metadata(text: str) -> Mapping[str, str]:
    """Return an entry's metadata in the order of its names."""
    return {} if text == "{}" else dict(sorted(json.loads(text).items()))
