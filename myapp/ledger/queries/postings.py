"""Read the statement of an account: what was posted to it in effective order, with the balance running.

A hold is not on it until it is posted. Effective order is by effective time, then by the order in which the balance
took the postings. A posting recorded late takes its place in it, and every later balance counts it; the postings
themselves keep the balance they left behind when they were recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, grains, ids, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Ledger, Side, StatementLine
from myapp.ledger.queries import by_key, deltas, history, spans

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
    known_at: datetime | None = None,
    after: PostingPosition | None,
    limit: int,
) -> Sequence[StatementLine]:
    """List what was posted to an account, the oldest first, from the one after `after`; `effective_to` is exclusive.

    With `known_at` only what was recorded by then is there, and counted. What the first line's balance begins with is
    read from the period totals before its day, and from that day's postings before it. A page that others write to
    meanwhile agrees with itself in a unit of work at REPEATABLE READ.
    Raises:
        NotFound: there is no such account.
    """
    account = _read_account(session, ledger, path)
    is_its = sa.and_(
        postings.c.ledger_id == ledger.id,
        postings.c.account_id == account.id,
        postings.c.effect.in_([effect.value for effect in deltas.POSTS]),
        *_known(known_at),
    )
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
    opening: Mapping[str, int] = {}
    if page and not is_from_the_start:
        opening = _sum_before(session, ledger, account.id, is_its, page[0], known_at)
    return _run(page, of, opening, AccountType(account.type).normal_side)


def _read_account(session: Session, ledger: Ledger, path: str) -> AnyRow:
    query = sa.select(accounts.c.id, accounts.c.type).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    return account


def _read_transactions(session: Session, ledger: Ledger, wanted: Collection[UUID]) -> Mapping[UUID, AnyRow]:
    """Read by id and not by a join. See Note [Plans for a new ledger] in queries/__init__.py."""
    columns = (transactions.c.id, transactions.c.reference, transactions.c.description, transactions.c.recorded_at)
    query = sa.select(*columns).where(transactions.c.ledger_id == ledger.id)
    return {row.id: row for row in by_key.read(session, query, transactions.c.id, sorted(wanted))}


def _as_tuple(position: PostingPosition) -> sa.Tuple:
    return sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(position, ORDER, strict=True)))


def _known(known_at: datetime | None) -> Iterator[sa.ColumnElement[bool]]:
    if known_at is not None:
        yield postings.c.transaction_id < ids.first_id(known_at + spans.TICK)


def _sum_before(
    session: Session,
    ledger: Ledger,
    account_id: UUID,
    is_its: sa.ColumnElement[bool],
    first: AnyRow,
    known_at: datetime | None,
) -> Mapping[str, int]:
    """Return debits less credits of everything before a posting, by currency."""
    day = grains.start_of(first.effective_at.date())
    before = history.balances_at(session, ledger, [account_id], at=day - spans.TICK, known_at=known_at)
    nets = {currency: counters.balance(Side.DEBIT) for (_, currency), counters in before.items()}
    position = PostingPosition(first.effective_at, first.balance_version, first.currency)
    signed = sa.case((postings.c.side == Side.DEBIT.value, postings.c.amount), else_=-postings.c.amount)
    lines = sa.select(postings.c.currency, signed.label("net")).where(is_its, postings.c.effective_at >= day)
    # In the order of the index, so that it is the one that is taken. See `_fenced` in history.py.
    of_day = lines.where(sa.tuple_(*ORDER) < _as_tuple(position)).order_by(*ORDER).offset(0).subquery()
    query = sa.select(of_day.c.currency, sa.func.sum(of_day.c.net).label("net")).group_by(of_day.c.currency)
    for row in session.execute(query):
        nets[row.currency] = nets.get(row.currency, 0) + int(row.net)
    return nets


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
