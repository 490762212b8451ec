"""Read the statement of an account: its postings in effective order, with the balance running.

Effective order is by effective time, then by the order in which the balance took the postings. A posting recorded
late takes its place in it, and every later balance counts it; the postings themselves keep the balance they left
behind when they were recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
    query = _select(ledger, is_its).order_by(*ORDER).limit(limit)
    if effective_from is not None:
        query = query.where(postings.c.effective_at >= effective_from)
    if effective_to is not None:
        query = query.where(postings.c.effective_at < effective_to)
    if after is not None:
        query = query.where(sa.tuple_(*ORDER) > _as_tuple(after))
    page = session.execute(query).all()
    is_from_the_start = effective_from is None and after is None
    opening = {} if is_from_the_start or not page else _sum_before(session, is_its, page[0])
    return _run(page, opening, AccountType(account.type).normal_side)


def _read_account(session: Session, ledger: Ledger, path: str) -> AnyRow:
    query = sa.select(accounts.c.id, accounts.c.type).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    return account


def _select(ledger: Ledger, is_its: sa.ColumnElement[bool]) -> sa.Select[Any]:
    is_theirs = sa.and_(transactions.c.ledger_id == ledger.id, transactions.c.id == postings.c.transaction_id)
    columns = (transactions.c.reference, transactions.c.description, transactions.c.recorded_at)
    return sa.select(postings, *columns).join_from(postings, transactions, is_theirs).where(is_its)


def _as_tuple(position: PostingPosition) -> sa.Tuple:
    return sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(position, ORDER, strict=True)))


def _sum_before(session: Session, is_its: sa.ColumnElement[bool], first: AnyRow) -> Mapping[str, int]:
    """Return debits less credits of everything before a posting, by currency."""
    position = PostingPosition(first.effective_at, first.balance_version, first.currency)
    signed = sa.case((postings.c.side == Side.DEBIT.value, postings.c.amount), else_=-postings.c.amount)
    query = sa.select(postings.c.currency, sa.func.sum(signed).label("net"))
    query = query.where(is_its, sa.tuple_(*ORDER) < _as_tuple(position)).group_by(postings.c.currency)
    return {row.currency: int(row.net) for row in session.execute(query)}


def _run(page: Sequence[AnyRow], opening: Mapping[str, int], normal_side: Side) -> Sequence[StatementLine]:
    nets = dict(opening)
    lines = []
    for row in page:
        signed = row.amount if row.side == Side.DEBIT else -row.amount
        nets[row.currency] = nets.get(row.currency, 0) + signed
        balance = nets[row.currency] if normal_side is Side.DEBIT else -nets[row.currency]
        lines.append(_line(row, balance))
    return lines


def _line(row: AnyRow, balance_minor: int) -> StatementLine:
    return StatementLine(
        transaction_id=row.transaction_id,
        reference=row.reference,
        description=row.description,
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
        line=row.line,
        currency=row.currency,
        side=Side(row.side),
        amount_minor=row.amount,
        balance_minor=balance_minor,
        balance_version=row.balance_version,
    )
