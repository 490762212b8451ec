"""Read the statement of an account: its postings in effective order, with the balance running.

Effective order is by effective time, then by the order in which the balance took the postings. A posting recorded
late takes its place in it, and every later balance counts it; the postings themselves keep the balance they left
behind when they were recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Ledger, Side, StatementLine

accounts, postings, transactions = tables.accounts, tables.postings, tables.transactions


class PostingPosition(NamedTuple):
    """A posting's place in the effective order of its account."""

    effective_at: datetime
    balance_version: int
    currency: str


ORDER = tuple(postings.c[name] for name in PostingPosition._fields)


def list_postings(
    session: Session,
    ledger: Ledger,
    path: str,
    *,
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
    after: PostingPosition | None,
    limit: int,
) -> Sequence[StatementLine]:
    """List the postings of an account, the oldest first, from the one after `after`; `effective_to` is exclusive.

    Raises:
        NotFound: there is no such account.
    """
    account = _read_account(session, ledger, path)
    is_its = sa.and_(postings.c.ledger_id == ledger.id, postings.c.account_id == account.id)
    query = sa.select(postings).where(is_its).order_by(*ORDER).limit(limit)
    if effective_from is not None:
        query = query.where(postings.c.effective_at >= effective_from)
    if effective_to is not None:
        query = query.where(postings.c.effective_at < effective_to)
    if after is not None:
        query = query.where(sa.tuple_(*ORDER) > _as_tuple(after))
    page = session.execute(query).all()
    of = _read_transactions(session, ledger, {row.transaction_id for row in page})
    is_from_the_start = effective_from is None and after is None
    opening = {} if is_from_the_start or not page else _sum_before(session, is_its, page[0])
    return _run(page, of, opening, AccountType(account.type).normal_side)


def _read_account(session: Session, ledger: Ledger, path: str) -> AnyRow:
    query = sa.select(accounts.c.id, accounts.c.type).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    return account


def _read_transactions(session: Session, ledger: Ledger, ids: Collection[UUID]) -> Mapping[UUID, AnyRow]:
    """Read by id and not by a join. See Note [Plans for a new ledger] in queries/__init__.py."""
    if not ids:
        return {}
    columns = (transactions.c.id, transactions.c.reference, transactions.c.description, transactions.c.recorded_at)
    query = sa.select(*columns).where(transactions.c.ledger_id == ledger.id, transactions.c.id.in_(sorted(ids)))
    return {row.id: row for row in session.execute(query)}


def _as_tuple(position: PostingPosition) -> sa.Tuple:
    return sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(position, ORDER, strict=True)))


def _sum_before(session: Session, is_its: sa.ColumnElement[bool], first: AnyRow) -> Mapping[str, int]:
    """Return debits less credits of everything before a posting, by currency."""
    position = PostingPosition(first.effective_at, first.balance_version, first.currency)
    signed = sa.case((postings.c.side == Side.DEBIT.value, postings.c.amount), else_=-postings.c.amount)
    query = sa.select(postings.c.currency, sa.func.sum(signed).label("net"))
    query = query.where(is_its, sa.tuple_(*ORDER) < _as_tuple(position)).group_by(postings.c.currency)
    return {row.currency: int(row.net) for row in session.execute(query)}


def _run(
    page: Sequence[AnyRow], of: Mapping[UUID, AnyRow], opening: Mapping[str, int], normal_side: Side
) -> Sequence[StatementLine]:
    nets = dict(opening)
    lines = []
    for row in page:
        signed = row.amount if row.side == Side.DEBIT else -row.amount
        nets[row.currency] = nets.get(row.currency, 0) + signed
        balance = nets[row.currency] if normal_side is Side.DEBIT else -nets[row.currency]
        lines.append(_line(row, of[row.transaction_id], balance))
    return lines


def _line(row: AnyRow, transaction: AnyRow, balance_minor: int) -> StatementLine:
    return StatementLine(
        transaction_id=row.transaction_id,
        reference=transaction.reference,
        description=transaction.description,
        effective_at=row.effective_at,
        recorded_at=transaction.recorded_at,
        line=row.line,
        currency=row.currency,
        side=Side(row.side),
        amount_minor=row.amount,
        balance_minor=balance_minor,
        balance_version=row.balance_version,
    )
