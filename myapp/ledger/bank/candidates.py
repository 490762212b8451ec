"""Read the postings that bank lines may mean: near in time, or of a transaction whose reference the bank gives.

They are read by keys, one table after the other: see Note [Plans for a new ledger] in queries/__init__.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.bank.model import State
from myapp.ledger.bank.scoring import Candidate, PostingKey
from myapp.ledger.bank.tables import bank_lines, bank_matches
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Effect, Ledger, Status
from myapp.ledger.queries import by_key
from myapp.ledger.tables import postings, transactions

ONE_DAY = timedelta(days=1)
POSTED = (Effect.POSTED.value, Effect.TAKEN.value)


class Money(NamedTuple):
    """What a line and its posting have the same: the account, the direction, and the money."""

    account_id: UUID
    side: str
    currency: str
    amount: int


class Found(NamedTuple):
    """A candidate, and the money it is about."""

    money: Money
    candidate: Candidate


def near(session: Session, ledger: Ledger, account_id: UUID, *, first: date, last: date, days: int) -> Sequence[AnyRow]:
    """Return the postings of an account with effect from so many days before `first` to so many after `last`."""
    query = sa.select(postings).where(
        postings.c.ledger_id == ledger.id,
        postings.c.account_id == account_id,
        postings.c.effective_at >= _start(first) - days * ONE_DAY,
        postings.c.effective_at < _start(last) + (days + 1) * ONE_DAY,
        postings.c.effect.in_(POSTED),
    )
    return session.execute(query).all()


def referenced(session: Session, ledger: Ledger, references: Collection[str]) -> Sequence[AnyRow]:
    """Return the postings of the transactions with these references."""
    ids = _read(session, ledger, transactions, transactions.c.reference, sorted(references), (transactions.c.id,))
    return of_transactions(session, ledger, [row.id for row in ids])


def of_transactions(session: Session, ledger: Ledger, transaction_ids: Collection[UUID]) -> Sequence[AnyRow]:
    """Return what these transactions have posted."""
    rows = _read(session, ledger, postings, postings.c.transaction_id, sorted(transaction_ids), postings.c)
    return [row for row in rows if row.effect in POSTED]


def choose(
    session: Session, ledger: Ledger, rows: Iterable[AnyRow], *, wanted: Collection[Money], not_of: UUID
) -> Sequence[Found]:
    """Return those postings that a line may mean: of money that is wanted, with no match, not undone by a reversal.

    `not_of` is the bank account whose own lines are no candidates; lines of another one are, for money moved between
    the two through one clearing account.
    """
    right = {key_of(row): row for row in rows if money_of(row) in wanted}
    if not right:
        return []
    ids = sorted({row.transaction_id for row in right.values()})
    free = right.keys() - _matched(session, ledger, ids)
    barred = _barred_lines(session, ledger, ids, not_of) | _reversed(session, ledger, ids)
    chosen = [right[key] for key in sorted(free) if key[0] not in barred]
    about = _read_transactions(session, ledger, {row.transaction_id for row in chosen})
    return [
        Found(money_of(row), _candidate(row, about[row.transaction_id]))
        for row in chosen
        if row.transaction_id in about
    ]


def key_of(row: AnyRow) -> PostingKey:
    return row.transaction_id, row.line


def money_of(row: AnyRow) -> Money:
    return Money(row.account_id, row.side, row.currency, row.amount)


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _matched(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> set[PostingKey]:
    columns = (bank_matches.c.transaction_id, bank_matches.c.posting_line)
    rows = _read(session, ledger, bank_matches, bank_matches.c.transaction_id, ids, columns)
    return {(row.transaction_id, row.posting_line) for row in rows}


def _barred_lines(session: Session, ledger: Ledger, ids: Sequence[UUID], account_id: UUID) -> set[UUID]:
    """Return which of the transactions are bank lines that explain nothing: the account's own, and those matched."""
    columns = (bank_lines.c.transaction_id, bank_lines.c.account_id, bank_lines.c.state)
    rows = _read(session, ledger, bank_lines, bank_lines.c.transaction_id, ids, columns)
    return {row.transaction_id for row in rows if row.account_id == account_id or row.state == State.MATCHED.value}


def _reversed(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> set[UUID]:
    rows = _read(session, ledger, transactions, transactions.c.reverses, ids, (transactions.c.reverses,))
    return {row.reverses for row in rows}


def _read_transactions(session: Session, ledger: Ledger, ids: Collection[UUID]) -> Mapping[UUID, AnyRow]:
    """Return the transactions, without reversals: those are nobody's payment."""
    names = ("id", "reference", "description", "metadata", "status", "reverses")
    columns = [transactions.c[name] for name in names]
    rows = _read(session, ledger, transactions, transactions.c.id, sorted(ids), columns)
    return {row.id: row for row in rows if row.reverses is None and row.status == Status.POSTED.value}


def _read(
    session: Session,
    ledger: Ledger,
    table: sa.Table,
    key: sa.Column[Any],
    values: Sequence[Any],
    columns: Iterable[sa.Column[Any]],
) -> Sequence[AnyRow]:
    return by_key.read(session, sa.select(*columns).where(table.c.ledger_id == ledger.id), key, values)


def _candidate(row: AnyRow, transaction: AnyRow) -> Candidate:
    return Candidate(
        key=key_of(row),
        effective_at=row.effective_at,
        reference=transaction.reference,
        description=transaction.description,
        metadata=transaction.metadata,
    )
