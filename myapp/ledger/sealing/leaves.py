"""What is sealed of each event: everything that never changes, as one canonical text.

A transaction's event seals the transaction with its postings, each with the counters it left behind, and with the path,
type and currency's exponent that give its figures their meaning. Any other event seals its payload. Integers of 64 bits
are strings. Rows are read by key and not by a join: see Note [Plans for a new ledger] in queries/__init__.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.sealing import canonical

K = TypeVar("K")

events, transactions, postings = tables.events, tables.transactions, tables.postings
accounts, currencies = tables.accounts, tables.currencies

# Grows with the columns that are sealed; epochs keep the one they were sealed in.
FORMAT = 1
# A transaction has up to a thousand postings, and so many transactions are in memory at once.
EVENTS_AT_ONCE = 256
OF_TRANSACTION = "transaction."
COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is sealed of one event, and which one it is."""

    seq: int
    event_id: UUID
    type: str
    text: str


def read(session: Session, ledger_id: UUID, *, first_seq: int, last_seq: int) -> Iterator[Leaf]:
    """Yield the leaves of the events with these numbers, in their order; those that are missing are left out.

    Shape: three to five statements for each 256 events.
    """
    query = sa.select(events).where(events.c.ledger_id == ledger_id).order_by(events.c.seq)
    for first in range(first_seq, last_seq + 1, EVENTS_AT_ONCE):
        last = min(last_seq, first + EVENTS_AT_ONCE - 1)
        yield from _spell(session, ledger_id, session.execute(query.where(events.c.seq.between(first, last))).all())


def _spell(session: Session, ledger_id: UUID, rows: Sequence[AnyRow]) -> Iterator[Leaf]:
    ids = [row.id for row in rows if row.type.startswith(OF_TRANSACTION)]
    known = {row.id: row for row in _read(session, ledger_id, transactions, transactions.c.id, ids)}
    lines: dict[UUID, list[AnyRow]] = {}
    for line in _read(session, ledger_id, postings, postings.c.transaction_id, ids):
        lines.setdefault(line.transaction_id, []).append(line)
    account_ids = sorted({line.account_id for of in lines.values() for line in of})
    held = {row.id: row for row in _read(session, ledger_id, accounts, accounts.c.id, account_ids)}
    codes = sorted({line.currency for of in lines.values() for line in of})
    exponents = {row.code: row.exponent for row in _read(session, ledger_id, currencies, currencies.c.code, codes)}
    for row in rows:
        said = _event(row)
        if row.type.startswith(OF_TRANSACTION):
            said["transaction"] = _transaction(known.get(row.id))
            of = sorted(lines.get(row.id, ()), key=lambda line: line.line)
            said["postings"] = [_posting(line, held.get(line.account_id), exponents) for line in of]
        yield Leaf(row.seq, row.id, row.type, canonical.text(said))


def _read(session: Session, ledger_id: UUID, table: sa.Table, key: sa.Column[K], keys: Sequence[K]) -> Iterable[AnyRow]:
    for some in chunks.of(keys):
        if some:
            yield from session.execute(sa.select(table).where(table.c.ledger_id == ledger_id, key.in_(some)))


def _event(row: AnyRow) -> dict[str, canonical.Value]:
    return {
        "format": FORMAT,
        "ledger": str(row.ledger_id),
        "seq": str(row.seq),
        "place": str(row.place),
        "event": str(row.id),
        "type": row.type,
        "payload": row.payload,
        "recorded_at": canonical.time(row.recorded_at),
    }


def _transaction(row: AnyRow | None) -> canonical.Value:
    if row is None:
        return None
    return {
        "id": str(row.id),
        "status": row.status,
        "reference": row.reference,
        "description": row.description,
        "effective_at": canonical.time(row.effective_at),
        "recorded_at": canonical.time(row.recorded_at),
        "expires_at": canonical.time(row.expires_at),
        "metadata": row.metadata,
        "pending_of": _id(row.pending_of),
        "reverses": _id(row.reverses),
    }


def _posting(row: AnyRow, account: AnyRow | None, exponents: Mapping[str, int]) -> canonical.Value:
    return {
        "line": row.line,
        "account_id": str(row.account_id),
        "account": None if account is None else account.path,
        "account_type": None if account is None else account.type,
        "currency": row.currency,
        "exponent": exponents.get(row.currency),
        "side": row.side,
        "effect": row.effect,
        "amount": str(row.amount),
        **{name: str(getattr(row, name)) for name in COUNTERS},
        "balance_version": str(row.balance_version),
        "effective_at": canonical.time(row.effective_at),
    }


def _id(of: UUID | None) -> str | None:
    return None if of is None else str(of)
