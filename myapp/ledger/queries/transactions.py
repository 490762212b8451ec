"""Read transactions with their postings: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Counters, Ledger, Posting, Side, Status, Transaction

accounts, postings, transactions = tables.accounts, tables.postings, tables.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Which transactions to list; None asks for nothing. `effective_to` is exclusive."""

    account: str | None = None
    reference: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    status: Status | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def get_transaction(session: Session, ledger: Ledger, id: UUID) -> Transaction:  # noqa: A002
    """Raises: NotFound."""
    found = load_transactions(session, ledger, [id])
    if not found:
        raise errors.NotFound(f"There is no transaction {id}.")
    return found[0]


def list_transactions(
    session: Session, ledger: Ledger, *, criteria: TransactionFilter, after: UUID | None, limit: int
) -> Sequence[Transaction]:
    """List transactions, the newest first, from the one after the id `after`."""
    query = sa.select(transactions).where(transactions.c.ledger_id == ledger.id, *_conditions(session, criteria))
    if after is not None:
        query = query.where(transactions.c.id < after)
    return _with_postings(session, ledger, session.execute(query.order_by(transactions.c.id.desc()).limit(limit)).all())


def load_transactions(session: Session, ledger: Ledger, transaction_ids: Sequence[UUID]) -> Sequence[Transaction]:
    """Return the transactions with these ids, in the order of the ids."""
    rows = {
        row.id: row
        for some in chunks.of(transaction_ids)
        for row in session.execute(
            sa.select(transactions).where(transactions.c.ledger_id == ledger.id, transactions.c.id.in_(some))
        )
    }
    ordered = [rows[transaction_id] for transaction_id in transaction_ids if transaction_id in rows]
    return _with_postings(session, ledger, ordered)


def _conditions(session: Session, criteria: TransactionFilter) -> Iterable[sa.ColumnElement[bool]]:
    if criteria.account is not None:
        yield _touches(criteria.account)
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


def _touches(path: str) -> sa.ColumnElement[bool]:
    of_account = sa.select(postings.c.transaction_id).join_from(
        postings,
        accounts,
        sa.and_(accounts.c.ledger_id == postings.c.ledger_id, accounts.c.id == postings.c.account_id),
    )
    is_its = (postings.c.ledger_id == transactions.c.ledger_id, postings.c.transaction_id == transactions.c.id)
    return of_account.where(*is_its, accounts.c.path == path).exists()


def _has_metadata(session: Session, wanted: Mapping[str, str]) -> Iterable[sa.ColumnElement[bool]]:
    if session.get_bind().dialect.name == "postgresql":
        yield sa.type_coerce(transactions.c.metadata, postgresql.JSONB).contains(dict(wanted))
        return
    for key, value in wanted.items():
        # Not by a JSON path, in which a key with a quote has no spelling.
        entries = sa.func.json_each(transactions.c.metadata).table_valued("key", "value")
        yield sa.select(entries.c.key).where(entries.c.key == key, entries.c.value == value).exists()


def _with_postings(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Sequence[Transaction]:
    lines: dict[UUID, list[Posting]] = {row.id: [] for row in rows}
    if lines:
        for some in chunks.of(list(lines)):
            for row in session.execute(_select_postings(ledger, some)):
                lines[row.transaction_id].append(_posting(row))
    return [_transaction(row, lines[row.id]) for row in rows]


def _select_postings(ledger: Ledger, transaction_ids: Sequence[UUID]) -> sa.Select[Any]:
    is_account = sa.and_(accounts.c.ledger_id == ledger.id, accounts.c.id == postings.c.account_id)
    query = sa.select(postings, accounts.c.path, accounts.c.type).join_from(postings, accounts, is_account)
    query = query.where(postings.c.ledger_id == ledger.id, postings.c.transaction_id.in_(transaction_ids))
    return query.order_by(postings.c.transaction_id, postings.c.line)


def _transaction(row: AnyRow, lines: Sequence[Posting]) -> Transaction:
    return Transaction(
        id=row.id,
        reference=row.reference,
        status=Status(row.status),
        description=row.description,
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
        metadata=row.metadata,
        postings=lines,
    )


def _posting(row: AnyRow) -> Posting:
    return Posting(
        line=row.line,
        account=row.path,
        account_type=AccountType(row.type),
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
    )
