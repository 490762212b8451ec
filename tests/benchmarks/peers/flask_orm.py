"""Flask with Flask-SQLAlchemy and psycopg, through the ORM."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa
from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.benchmarks.peers import books, validation


class Base(DeclarativeBase):
    """The declarative base."""


db = SQLAlchemy(model_class=Base)
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = books.url("psycopg")
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": books.POOL_SIZE, "max_overflow": 0}
db.init_app(app)


class Account(db.Model):
    """An account and its balance."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(unique=True)
    balance: Mapped[Decimal] = mapped_column(sa.Numeric(20, 2), default=Decimal)


class Transaction(db.Model):
    """A transaction with its postings."""

    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=lambda: datetime.now(UTC))
    postings: Mapped[list[Posting]] = relationship(back_populates="transaction")


class Posting(db.Model):
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


@app.errorhandler(validation.Invalid)
def refuse(exc: validation.Invalid) -> ResponseReturnValue:
    return {"error": str(exc)}, 422


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions")
def record() -> ResponseReturnValue:
    description, postings = validation.transaction(request.get_json())
    paths = {posting.account for posting in postings}
    locked = db.select(Account).where(Account.path.in_(paths)).order_by(Account.id).with_for_update()
    accounts = {account.path: account for account in db.session.scalars(locked)}
    if missing := paths - accounts.keys():
        raise validation.Invalid(f"unknown accounts: {', '.join(sorted(missing))}")
    transaction = Transaction(description=description)
    for posting in postings:
        account = accounts[posting.account]
        account.balance += posting.amount
        transaction.postings.append(
            Posting(account=account, amount=posting.amount, currency=posting.currency, balance=account.balance)
        )
    db.session.add(transaction)
    db.session.flush()
    answer = {
        "id": transaction.id,
        "description": transaction.description,
        "postings": [
            {"account": each.account.path, "amount": str(each.amount), "balance": str(each.balance)}
            for each in transaction.postings
        ],
    }
    db.session.commit()
    return answer, 201


@app.get(f"/v1/ledgers/{books.LEDGER}/accounts/<path>/balance")
def balance(path: str) -> ResponseReturnValue:
    account = db.first_or_404(db.select(Account).filter_by(path=path))
    return {"account": account.path, "balance": str(account.balance)}


def prepare() -> None:
    """Make the tables and the accounts."""
    with app.app_context():
        db.create_all()
        db.session.add_all(Account(path=path) for path in books.paths())
        db.session.commit()


if __name__ == "__main__":
    prepare()
