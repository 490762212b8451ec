"""Read transactions with their postings and the accounts of those: three statements, however many there are.

What became of them since is read by `outcomes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Counters, Effect, Ledger, Posting, Side, Status, Transaction
from myapp.ledger.queries import by_key, outcomes, search
from myapp.ledger.queries.search import TransactionFilter

accounts, postings, transactions = tables.accounts, tables.postings, tables.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A page of transactions; the search goes on after the id `resume`, if it is not at its end."""

    transactions: Sequence[Transaction]
    resume: UUID | None


def get_transaction(session: Session, ledger: Ledger, id: UUID, *, now: datetime) -> Transaction:  # noqa: A002
    """Raises: NotFound."""
    found = load_transactions(session, ledger, [id])
    if not found:
        raise errors.NotFound(f"There is no transaction {id}.")
    return outcomes.follow(session, ledger, found, now=now)[0]


def search_transactions(
    session: Session, ledger: Ledger, *, criteria: TransactionFilter, after: UUID | None, limit: int, now: datetime
) -> Searched:
    """Return a page of what meets the criteria, the newest first, from the one after the id `after`.

    As known at the time that the criteria name: holds and reversals are as they were then.
    Shape: at most `limit`; fewer, or none, is not the end: that is where there is no `resume`.
    """
    found = search.find(session, ledger, criteria, after=after, limit=limit, now=now)
    recorded = _with_postings(session, ledger, found.rows)
    page = outcomes.follow(session, ledger, recorded, now=now, known_at=criteria.known_at)
    return Searched(transactions=page, resume=found.resume)


def list_transactions(
    session: Session, ledger: Ledger, *, criteria: TransactionFilter, after: UUID | None, limit: int, now: datetime
) -> Sequence[Transaction]:
    """List transactions, the newest first, from the one after the id `after`, however long it takes to find them."""
    listed: list[Transaction] = []
    while True:
        rest = limit - len(listed)
        page = search_transactions(session, ledger, criteria=criteria, after=after, limit=rest, now=now)
        listed += page.transactions
        after = page.resume
        if after is None or len(listed) == limit:
            return listed


def load_transactions(session: Session, ledger: Ledger, transaction_ids: Sequence[UUID]) -> Sequence[Transaction]:
    """Return the transactions with these ids as they were recorded, in the order of the ids."""
    rows = {row.id: row for row in _read(session, ledger, transactions, transactions.c.id, transaction_ids)}
    ordered = [rows[transaction_id] for transaction_id in transaction_ids if transaction_id in rows]
    return _with_postings(session, ledger, ordered)


def list_holds(session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime) -> Sequence[Transaction]:
    """Return holds with what has become of them, in the order of the ids."""
    return outcomes.follow(session, ledger, load_transactions(session, ledger, hold_ids), now=now)


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
    return by_key.read(session, sa.select(table).where(table.c.ledger_id == ledger.id), key, ids)


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
