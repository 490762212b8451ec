"""What the application keeps: accounts, and two entries for each transfer between them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import orm

ACCOUNTS = 200


class Base(orm.DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    balance: orm.Mapped[int]


class Entry(Base):
    """One leg of a transfer; a leg that is written twice breaks the constraint."""

    __tablename__ = "entries"
    __table_args__ = (sa.UniqueConstraint("transfer", "leg"),)
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    transfer: orm.Mapped[str]
    leg: orm.Mapped[str]
    amount: orm.Mapped[int]


def create(url: str) -> None:
    """Lay the tables and open the accounts."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        # It stays with the file, so every strategy has readers beside the writer.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(Account), [{"id": number, "balance": 0} for number in range(ACCOUNTS)])
