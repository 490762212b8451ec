"""What requests do with a session, whoever made it and whoever ends it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.benchmarks.sessions.tables import Account, Entry

AMOUNT = 1


class ServerError(Exception):
    """The application fails in the middle of its work."""


def read(session: Session, account: int, *, by: str = "get") -> Account:
    """Load an account, through the session's memory (`get`) or with a query."""
    if by == "query":
        return session.scalars(sa.select(Account).where(Account.id == account)).one()
    return session.get_one(Account, account)


def change(session: Session, account: int) -> Account:
    """Add one to what the session says that the balance is."""
    changed = session.get_one(Account, account)
    changed.balance += AMOUNT
    return changed


def take(session: Session, account: int, transfer: str) -> None:
    """Do the first half of a transfer."""
    session.get_one(Account, account).balance -= AMOUNT
    session.add(Entry(transfer=transfer, leg="taken", amount=-AMOUNT))


def give(session: Session, account: int, transfer: str) -> None:
    """Do the second half of a transfer."""
    session.get_one(Account, account).balance += AMOUNT
    session.add(Entry(transfer=transfer, leg="given", amount=AMOUNT))


def fail(session: Session, transfer: str, fault: str) -> None:
    """Fail between the halves as asked: not at all, in the application, or by a constraint of the database."""
    if fault == "application":
        raise ServerError
    if fault == "database":
        session.add(Entry(transfer=transfer, leg="taken", amount=-AMOUNT))
        session.flush()
