"""Read transactions with their postings and the accounts of those: three statements, however many there are.

What became of them since is read by `outcomes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Counters, Effect, Ledger, Posting, Side, Status, Transaction
from myapp.ledger.queries import outcomes

accounts, postings, transactions = tables.accounts, tables.postings, tables.transactions

# What only gives back what a hold had reserved is no transaction of its own to those who list them.
IS_LISTED = sa.or_(transactions.c.status == Status.POSTED.value, transactions.c.pending_of.is_(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Which transactions to list; None asks for nothing. `effective_to` is exclusive."""

    account: str | None = None
    reference: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    status: Status | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def get_transaction(session: Session, ledger: Ledger, id: UUID, *, now: datetime) -> Transaction:  # noqa: A002
    """Raises: NotFound."""
    found = load_transactions(session, ledger, [id])
    if not found:
        raise errors.NotFound(f"There is no transaction {id}.")
    return outcomes.follow(session, ledger, found, now=now)[0]


def list_transactions(
    session: Session, ledger: Ledger, *, criteria: TransactionFilter, after: UUID | None, limit: int, now: datetime
) -> Sequence[Transaction]:
    """List transactions, the newest first, from the one after the id `after`."""
    query = sa.select(transactions).where(
        transactions.c.ledger_id == ledger.id, IS_LISTED, *_conditions(session, ledger, criteria)
    )
    if after is not None:
        query = query.where(transactions.c.id < after)
    rows = session.execute(query.order_by(transactions.c.id.desc()).limit(limit)).all()
    return outcomes.follow(session, ledger, _with_postings(session, ledger, rows), now=now)


def load_transactions(session: Session, ledger: Ledger, transaction_ids: Sequence[UUID]) -> Sequence[Transaction]:
    """Return the transactions with these ids as they were recorded, in the order of the ids."""
    rows = {row.id: row for row in _read(session, ledger, transactions, transactions.c.id, transaction_ids)}
    ordered = [rows[transaction_id] for transaction_id in transaction_ids if transaction_id in rows]
    return _with_postings(session, ledger, ordered)


def list_holds(session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime) -> Sequence[Transaction]:
    """Return holds with what has become of them, in the order of the ids."""
    return outcomes.follow(session, ledger, load_transactions(session, ledger, hold_ids), now=now)


def _conditions(session: Session, ledger: Ledger, criteria: TransactionFilter) -> Iterable[sa.ColumnElement[bool]]:
    if criteria.account is not None:
        yield _touches(ledger, criteria.account)
    if criteria.reference is not None:
        yield transactions.c.reference == criteria.reference
    if criteria.effective_from is not None:
        yield transactions.c.effective_at >= criteria.effective_from
    if criteria.effective_to is not None:
        yield transactions.c.effective_at < criteria.effective_to
    if criteria.status is not None:
        yield transactions.c.status == criteria.status.value
    if criteria.metadata:
        yield from _has_metadata(session, criteria.metadata)


def _touches(ledger: Ledger, path: str) -> sa.ColumnElement[bool]:
    account_id = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    of_account = sa.select(postings.c.line).where(
        postings.c.ledger_id == ledger.id,
        postings.c.transaction_id == transactions.c.id,
        postings.c.account_id == account_id.scalar_subquery(),
    )
    # The offset keeps PostgreSQL from making a join of it. See Note [Plans for a new ledger] in queries/__init__.py.
    return of_account.offset(0).exists()


def _has_metadata(session: Session, wanted: Mapping[str, str]) -> Iterable[sa.ColumnElement[bool]]:
    if session.get_bind().dialect.name == "postgresql":
        yield sa.type_coerce(transactions.c.metadata, postgresql.JSONB).contains(dict(wanted))
        return
    for key, value in wanted.items():
        # Not by a JSON path, in which a key with a quote has no spelling.
        entries = sa.func.json_each(transactions.c.metadata).table_valued("key", "value")
        yield sa.select(entries.c.key).where(entries.c.key == key, entries.c.value == value).exists()


def _with_postings(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Sequence[Transaction]:
    """Read postings and accounts by id and not by a join. See Note [Plans for a new ledger] in queries/__init__.py."""
    lines = _read(session, ledger, postings, postings.c.transaction_id, [row.id for row in rows])
    held = _read(session, ledger, accounts, accounts.c.id, sorted({line.account_id for line in lines}))
    accounts_by_id = {account.id: account for account in held}
    by_transaction: dict[UUID, list[Posting]] = {row.id: [] for row in rows}
    for line in sorted(lines, key=lambda line: line.line):
        by_transaction[line.transaction_id].append(_posting(line, accounts_by_id[line.account_id]))
    released = {row.pending_of for row in rows if _is_release(row)}
    ends = outcomes.read_final_states(session, ledger, released)
    return [
        _transaction(row, by_transaction[row.id], ends[row.pending_of] if _is_release(row) else Status(row.status))
        for row in rows
    ]


def _is_release(row: AnyRow) -> bool:
    return row.status == Status.PENDING and row.pending_of is not None


def _read(
    session: Session, ledger: Ledger, table: sa.Table, key: sa.Column[UUID], ids: Sequence[UUID]
) -> Sequence[AnyRow]:
    return [
        row
        for some in chunks.of(ids)
        if some
        for row in session.execute(sa.select(table).where(table.c.ledger_id == ledger.id, key.in_(some)))
    ]


def _transaction(row: AnyRow, lines: Sequence[Posting], status: Status) -> Transaction:
    return Transaction(
        id=row.id,
        reference=row.reference,
        status=status,
        description=row.description,
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
        metadata=row.metadata,
        postings=lines,
        pending_of=row.pending_of,
        reverses=row.reverses,
        expires_at=row.expires_at,
    )


def _posting(row: AnyRow, account: AnyRow) -> Posting:
    return Posting(
        line=row.line,
        account=account.path,
        account_type=AccountType(account.type),
        currency=row.currency,
        side=Side(row.side),
        amount_minor=row.amount,
        counters=Counters(
            debits_posted=row.debits_posted,
            credits_posted=row.credits_posted,
            debits_pending=row.debits_pending,
            credits_pending=row.credits_pending,
        ),
        balance_version=row.balance_version,
        effect=Effect(row.effect),
        remaining_minor=row.amount if row.effect == Effect.PENDING else None,
    )
