"""Walk a whole ledger, or the transactions of a period, in memory that does not grow with it.

One statement reads it, a row for each transaction with its postings, while earlier ones are written out. What is only
passed on is read as text, since a million UUIDs and times are dear to make: ids as `Entry` says, times as
2026-01-31T12:00:00.000000Z, metadata as JSON.

Note [Some rows, and then all]
The rows come in the order of an index, at once and with nothing kept. PostgreSQL plans a query of which it cannot know
the LIMIT as it plans a cursor on the server, as if a tenth were read: then it makes the text of the postings after it
has sorted a day, and not before. Of one of which all is wanted it might also read everything and sort that, since it
believes that a ledger is small (Note [Plans for a new ledger] in queries/__init__.py); in ten million postings it did
not.

Whoever wants one snapshot for several statements asks for REPEATABLE READ.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import tables
from myapp.ledger.model import Ledger, Status

holds, postings, transactions = tables.holds, tables.postings, tables.transactions

# Rows that are fetched together. Each may have a thousand postings.
PORTION = 100
# More than there are: Note [Some rows, and then all].
ALL = 2**63 - 1

# In no id, code, number or name.
_TAB, _END = "\t", "\n"

# A column read as the database writes it.
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


# account as `Walk.key_of` has it, currency, side, amount in the smallest unit, effect
Line = tuple[str, str, str, int, str]


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
        # Days as well, which have an index.
        at, day = transactions.c.effective_at, transactions.c.effective_day
        if period.start is not None:
            self._of_period += [at >= period.start, day >= period.start.astimezone(UTC).date()]
        if period.end is not None:
            self._of_period += [at < period.end, day <= period.end.astimezone(UTC).date()]

    def key_of(self, id: UUID) -> str:  # noqa: A002
        """Return an account's id as the lines have it."""
        return id.hex if self._is_sqlite else str(id)

    def days(self) -> tuple[date, date] | None:
        """Return the first and the last day in UTC on which something is effective, or None where nothing is."""
        day = transactions.c.effective_day
        first, last = self._session.execute(sa.select(sa.func.min(day), sa.func.max(day)).where(*self._of_period)).one()
        return None if first is None else (first, last)

    def entries(self, order: Order) -> Iterator[tuple[Entry, Sequence[Line]]]:
        """Yield each transaction with its postings by line."""
        query = sa.select(*self._columns(), self._lines()).where(*self._of_period)
        if order is Order.EFFECTIVE:
            # Day by day as an index has them, so that only a day at a time is sorted.
            query = query.order_by(transactions.c.effective_day, transactions.c.effective_at)
        query = query.order_by(transactions.c.id).limit(sa.select(sa.literal(ALL)).scalar_subquery())
        # Past the session, which would have a stream's every query read by a cursor on the server.
        with self._session.connection().execute(query, execution_options=scope.AHEAD) as found:
            for portion in found.partitions(PORTION):
                for *columns, lines in portion:
                    entry = Entry._make(columns)
                    yield _with_texts(entry) if self._is_sqlite else entry, _read_lines(lines)

    def _columns(self) -> Sequence[_Column]:
        of = transactions.c
        metadata = sa.type_coerce(of.metadata, sa.Text) if self._is_sqlite else sa.cast(of.metadata, sa.Text)
        return (
            self._id(of.id),
            of.reference,
            sa.case((_is_release(), self._outcome()), else_=of.status),
            of.description,
            self._time(of.effective_at),
            self._time(of.recorded_at),
            metadata,
            self._id(of.pending_of),
            self._id(of.reverses),
            self._time(of.expires_at),
        )

    def _outcome(self) -> _Column:
        """Select how the hold of a transaction has ended."""
        of = holds.c
        within = (of.ledger_id == self._ledger.id, of.transaction_id == transactions.c.pending_of)
        return sa.select(of.state).where(*within).scalar_subquery()

    def _lines(self) -> _Column:
        """Select a transaction's postings by line as one text, which `_read_lines` reads.

        Neither database takes a sorted subquery apart that is aggregated; `string_agg(… ORDER BY …)` would sort again.
        """
        of = postings.c
        within = (of.ledger_id == self._ledger.id, of.transaction_id == transactions.c.id)
        by_line = sa.select(of.account_id, of.currency, of.side, of.amount, of.effect).where(*within).order_by(of.line)
        its = by_line.correlate(transactions).subquery().c
        account = sa.func.lower(sa.func.hex(its.account_id)) if self._is_sqlite else sa.cast(its.account_id, sa.Text)
        amount = sa.cast(its.amount, sa.Text)
        line = account + _TAB + its.currency + _TAB + its.side + _TAB + amount + _TAB + its.effect
        return sa.select(sa.func.aggregate_strings(line, _END)).scalar_subquery()

    def _id(self, column: _Column) -> _Column:
        return sa.type_coerce(column, sa.LargeBinary) if self._is_sqlite else sa.cast(column, sa.Text)

    def _time(self, column: _Column) -> _Column:
        if self._is_sqlite:
            return sa.type_coerce(column, sa.Text)
        return sa.func.to_char(sa.func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')


def _is_release() -> sa.ColumnElement[bool]:
    return sa.and_(transactions.c.pending_of.is_not(None), transactions.c.status == Status.PENDING)


def _read_lines(text: str | None) -> Sequence[Line]:
    if text is None:
        return []
    parts = [line.split(_TAB) for line in text.split(_END)]
    return [(account, currency, side, int(amount), effect) for account, currency, side, amount, effect in parts]


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
