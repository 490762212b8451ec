"""A ledger in SQLAlchemy's ORM, as its documentation writes models; a balance is a column that each transfer updates.

All peers that use the ORM share it, each with its framework's own session and validation.
Amounts are decimals, a credit is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.benchmarks.peers import books, validation


class Base(DeclarativeBase):
    """The declarative base."""


class Account(Base):
    """An account and its balance."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(unique=True)
    balance: Mapped[Decimal] = mapped_column(sa.Numeric(20, 2), default=Decimal)


class Transaction(Base):
    """A transaction with its postings."""

    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=lambda: datetime.now(UTC))
    postings: Mapped[list[Posting]] = relationship(back_populates="transaction")


class Posting(Base):
    """One line of a transaction, with the balance it led to."""

    __tablename__ = "postings"

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(sa.ForeignKey("transactions.id"), index=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(sa.Numeric(20, 2))
    currency: Mapped[str] = mapped_column(sa.String(3))
    balance: Mapped[Decimal] = mapped_column(sa.Numeric(20, 2))
    transaction: Mapped[Transaction] = relationship(back_populates="postings")
    account: Mapped[Account] = relationship()


class Wanted(Protocol):
    """A line as it was asked for; a credit is negative."""

    account: str
    currency: str
    amount: Decimal


def locked(postings: Iterable[Wanted]) -> sa.Select[Account]:
    """Return the query that locks the accounts, in the order that all writers keep."""
    paths = {posting.account for posting in postings}
    return sa.select(Account).where(Account.path.in_(paths)).order_by(Account.id).with_for_update()


def transfer(found: Iterable[Account], description: str, postings: Sequence[Wanted]) -> Transaction:
    """Return the new transaction, with the accounts' balances changed."""
    accounts = {account.path: account for account in found}
    if missing := {posting.account for posting in postings} - accounts.keys():
        raise validation.Invalid(f"unknown accounts: {', '.join(sorted(missing))}")
    transaction = Transaction(description=description)
    for posting in postings:
        account = accounts[posting.account]
        account.balance += posting.amount
        transaction.postings.append(
            Posting(account=account, amount=posting.amount, currency=posting.currency, balance=account.balance)
        )
    return transaction


def answer(transaction: Transaction) -> dict[str, object]:
    """Return the recorded transaction as plain values."""
    return {
        "id": transaction.id,
        "description": transaction.description,
        "postings": [
            {"account": each.account.path, "amount": str(each.amount), "balance": str(each.balance)}
            for each in transaction.postings
        ],
    }


def prepare() -> None:
    """Make the tables and the accounts."""
    engine = sa.create_engine(books.url("psycopg"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Account(path=path) for path in books.paths())
        session.commit()


if __name__ == "__main__":
    prepare()
