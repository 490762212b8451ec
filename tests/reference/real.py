"""The real ledger behind the same words as the model: the same operations, answers and refusals.

Every operation is a unit of work of its own that really commits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import errors, operations, queries, tables, verify
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import (
    Account,
    AccountChange,
    Counters,
    Currency,
    Ledger,
    NewAccount,
    NewTransaction,
    Posting,
    StatementLine,
    Status,
    Transaction,
)
from myapp.ledger.recording import Form
from tests.reference import generate
from tests.reference.book import Entry, Record, Recorded, Refused, SeenAccount, Tally
from tests.reference.generate import START
from tests.reference.model import Key, Line, State

PAGE = 7
ENOUGH = 10_000


@dataclass
class Real:
    """One ledger in one database, recorded to in one form."""

    name: str
    sessions: sessionmaker[Session]
    form: Form

    def __post_init__(self) -> None:
        self.ledger_name = f"reference-{secrets.token_hex(8)}"
        # The model's transactions are at the same places as these.
        self.ids: list[UUID] = []

    @contextmanager
    def unit_of_work(self, *, readonly: bool = False) -> Iterator[tuple[Session, Ledger]]:
        """Open a unit of work on the ledger; what the ledger refuses is raised in the model's words."""
        try:
            with scope.session_scope(self.sessions, readonly=readonly) as session:
                yield session, queries.get_ledger(session, self.ledger_name)
        except errors.Refusal as refusal:
            holder = self.ids.index(refusal.transaction_id) if refusal.transaction_id is not None else None
            raise Refused(refusal.code, refusal.index, refusal.line, holder=holder) from refusal
        except errors.LedgerError as error:
            raise Refused(error.code) from error

    def create(self, now: datetime) -> None:
        with scope.session_scope(self.sessions) as session:
            operations.create_ledger(session, self.ledger_name, metadata={}, now=now)

    def declare_currency(self, code: str, exponent: int) -> bool:
        with self.unit_of_work() as (session, ledger):
            return operations.declare_currency(session, ledger, Currency(code=code, exponent=exponent), now=START)

    def lock_before(self, moment: datetime) -> None:
        """Close a period; the ledger has no operation for it yet."""
        with self.unit_of_work() as (session, ledger):
            table = tables.ledgers
            session.execute(sa.update(table).where(table.c.id == ledger.id).values(locked_before=moment))

    def open_account(self, wanted: NewAccount, *, now: datetime) -> SeenAccount:
        with self.unit_of_work() as (session, ledger):
            return as_seen(operations.open_account(session, ledger, wanted, now=now))

    def change_account(
        self, path: str, change: AccountChange, *, expected_version: int | None, now: datetime
    ) -> SeenAccount:
        with self.unit_of_work() as (session, ledger):
            return as_seen(
                operations.change_account(session, ledger, path, change, expected_version=expected_version, now=now)
            )

    def record(self, request: Sequence[NewTransaction], *, now: datetime, key: Key | None) -> Recorded:
        with self.unit_of_work() as (session, ledger):
            claim = key and Claim(key=key.name, request_hash=key.request_hash, expired_before=key.expired_before)
            recorded = operations.record(session, ledger, request, now=now, form=self.form, claim=claim)
        if not recorded.replayed:
            self.ids += [transaction.id for transaction in recorded.transactions]
        places = [self.ids.index(transaction.id) for transaction in recorded.transactions]
        return Recorded(places, [as_record(transaction) for transaction in recorded.transactions], recorded.replayed)

    def dry_run(self, request: Sequence[NewTransaction], *, now: datetime) -> Sequence[Record]:
        with self.unit_of_work() as (session, ledger):
            recorded = operations.dry_run(session, ledger, request, now=now, form=self.form)
            return [as_record(transaction) for transaction in recorded.transactions]

    def state(self, paths: Sequence[str]) -> State:
        """Read currencies, accounts, and the statements of some accounts, in one unit of work."""
        with self.unit_of_work(readonly=True) as (session, ledger):
            currencies = queries.list_currencies(session, ledger, after=None, limit=ENOUGH)
            accounts = queries.list_accounts(session, ledger, after=None, limit=ENOUGH)
            found = {path: list(read_statement(session, ledger, path)) for path in paths}
        return State(
            currencies={currency.code: currency.exponent for currency in currencies},
            accounts={account.path: as_seen(account) for account in accounts},
            statements={path: [self.as_line(line) for line in lines] for path, lines in found.items()},
        )

    def records(self) -> Sequence[Record]:
        """List every transaction, oldest first, read page by page."""
        with self.unit_of_work(readonly=True) as (session, ledger):
            newest_first: list[Transaction] = []
            while page := queries.list_transactions(
                session,
                ledger,
                criteria=queries.TransactionFilter(),
                after=newest_first[-1].id if newest_first else None,
                limit=PAGE,
                now=generate.START,
            ):
                newest_first += page
        assert [transaction.id for transaction in reversed(newest_first)] == self.ids
        return [as_record(transaction) for transaction in reversed(newest_first)]

    def violations(self) -> Sequence[str]:
        """List what `verify` finds wrong; a ledger that agrees with the model has nothing."""
        with self.unit_of_work(readonly=True) as (session, ledger):
            checks = verify.verify(session, ledger)
            assert checks
            return [f"{check.name}: {violation}" for check in checks for violation in check.violations] + [
                check.name for check in checks if not check.holds
            ]

    def as_line(self, found: StatementLine) -> Line:
        return Line(
            place=self.ids.index(found.transaction_id),
            line=found.line,
            currency=found.currency,
            side=found.side,
            minor=found.amount_minor,
            effective_at=found.effective_at,
            version=found.balance_version,
            balance=found.balance_minor,
        )


def read_statement(session: Session, ledger: Ledger, path: str) -> Iterator[StatementLine]:
    """Read a whole statement page by page."""
    after: queries.PostingPosition | None = None
    while page := queries.list_postings(session, ledger, path, after=after, limit=PAGE):
        yield from page
        if len(page) < PAGE:
            return
        after = queries.PostingPosition(page[-1].effective_at, page[-1].balance_version, page[-1].currency)


def as_seen(account: Account) -> SeenAccount:
    return SeenAccount(
        path=account.path,
        type=account.type,
        currencies=account.currencies,
        metadata=dict(account.metadata),
        limits=dict(account.limits),
        counters={code: as_pair(counters) for code, counters in account.balances.items() if counters != Counters()},
        closed_at=account.closed_at,
        version=account.version,
    )


def as_record(transaction: Transaction) -> Record:
    assert transaction.status is Status.POSTED
    assert [posting.line for posting in transaction.postings] == list(range(len(transaction.postings)))
    return Record(
        reference=transaction.reference,
        description=transaction.description,
        effective_at=transaction.effective_at,
        recorded_at=transaction.recorded_at,
        metadata=dict(transaction.metadata),
        entries=[as_entry(posting) for posting in transaction.postings],
    )


def as_entry(posting: Posting) -> Entry:
    debits, credits_ = as_pair(posting.counters)
    tally = Tally(debits, credits_, posting.balance_version)
    return Entry(posting.account, posting.currency, posting.side, posting.amount_minor, tally)


def as_pair(counters: Counters) -> tuple[int, int]:
    assert counters.debits_pending == counters.credits_pending == 0
    return counters.debits_posted, counters.credits_posted
