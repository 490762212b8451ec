"""A desk to keep a ledger at: each call is a unit of work that really commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import errors, operations, queries, verify
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import (
    Account,
    AccountChange,
    AccountType,
    Ledger,
    LedgerChange,
    NewAccount,
    NewLimits,
    NewPosting,
    NewTransaction,
    Side,
)
from myapp.ledger.recording import Form

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MAX = Decimal(2**63 - 1)

# Put on a module or class whose tests take `form`: they run in every form each database has.
in_every_form = pytest.mark.parametrize(
    ("dialect", "form"),
    [("sqlite", Form.STEPS), ("postgresql", Form.STEPS), ("postgresql", Form.STATEMENT)],
    ids=["sqlite-steps", "postgresql-steps", "postgresql-statement"],
    indirect=["dialect"],
    scope="session",
)


def debit(account: str, amount: str | Decimal, currency: str = "USD") -> NewPosting:
    return NewPosting(account=account, currency=currency, side=Side.DEBIT, amount=Decimal(amount))


def credit(account: str, amount: str | Decimal, currency: str = "USD") -> NewPosting:
    return NewPosting(account=account, currency=currency, side=Side.CREDIT, amount=Decimal(amount))


def transaction(*postings: NewPosting, **more: object) -> NewTransaction:
    return NewTransaction(postings=postings, **more)  # type: ignore[arg-type]


def transfer(
    amount: str | Decimal,
    *,
    into: str = "assets:till",
    out_of: str = "income:sales",
    currency: str = "USD",
    **more: object,
) -> NewTransaction:
    return transaction(debit(into, amount, currency), credit(out_of, amount, currency), **more)


def limits(low: str | None = None, high: str | None = None) -> NewLimits:
    return NewLimits(min=None if low is None else Decimal(low), max=None if high is None else Decimal(high))


def key(name: str, request_hash: bytes = b"hash", expired_before: datetime = LONG_AGO) -> Claim:
    return Claim(key=name, request_hash=request_hash, expired_before=expired_before)


@dataclass
class Desk:
    sessions: sessionmaker[Session]
    ledger: Ledger
    form: Form = Form.STEPS

    @contextmanager
    def at_work(self, *, readonly: bool = False) -> Iterator[Session]:
        with scope.session_scope(self.sessions, readonly=readonly) as session:
            yield session

    def open(
        self,
        path: str,
        limits: Mapping[str, NewLimits] | None = None,
        currencies: Sequence[str] | None = None,
        account_type: AccountType | None = None,
    ) -> Account:
        """Open an account whose type is the root of its path, unless given."""
        kind = account_type or {"assets": AccountType.ASSET, "income": AccountType.INCOME}[path.partition(":")[0]]
        wanted = NewAccount(path=path, type=kind, limits=limits or {}, currencies=currencies)
        with self.at_work() as session:
            return operations.open_account(session, self.ledger, wanted, now=NOW)

    def change(self, path: str, expected_version: int | None = None, **change: object) -> Account:
        wanted = AccountChange(**change)  # type: ignore[arg-type]
        with self.at_work() as session:
            return operations.change_account(
                session, self.ledger, path, wanted, expected_version=expected_version, now=NOW
            )

    def record(self, *wanted: NewTransaction, claim: Claim | None = None, now: datetime = NOW) -> operations.Recorded:
        with self.at_work() as session:
            return operations.record(session, self.ledger, wanted, now=now, form=self.form, claim=claim)

    def lock_before(self, moment: datetime) -> None:
        with self.at_work() as session:
            change = LedgerChange(moves_period=True, locked_before=moment)
            operations.change_ledger(session, self.ledger, change, expected_version=None, now=NOW)

    def account(self, path: str) -> Account:
        with self.at_work(readonly=True) as session:
            return queries.get_account(session, self.ledger, path)

    def balance(self, path: str, currency: str = "USD") -> int:
        account = self.account(path)
        return account.balances[currency].balance(account.type.normal_side) if currency in account.balances else 0

    def transactions(self) -> int:
        """Count what the ledger has recorded."""
        with self.at_work(readonly=True) as session:
            return len(
                queries.list_transactions(
                    session, self.ledger, criteria=queries.TransactionFilter(), after=None, limit=1000, now=NOW
                )
            )

    def violations(self) -> Sequence[str]:
        with self.at_work(readonly=True) as session:
            return [check.name for check in verify.verify(session, self.ledger) if not check.holds]


def at_once(*actions: Callable[[], object]) -> Sequence[str]:
    """Do all of it at once, each on a thread of its own; return how each ended."""
    start, ends = threading.Barrier(len(actions)), []

    def act(action: Callable[[], object]) -> None:
        start.wait()
        try:
            action()
            ends.append("done")
        except errors.LedgerError as error:
            ends.append(error.code)

    threads = [threading.Thread(target=act, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)
