"""A counter at which holds are made, posted, voided and left to expire, and transactions reversed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from myapp.ledger import errors, operations, queries, tables
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import Condition, HoldPost, LedgerChange, NewPosting, NewReversal, NewTransaction, Transaction
from tests.integration.ledger.desk import NOW, Desk, transfer

TILL, SALES, BANK = "assets:till", "income:sales", "assets:bank"
SOON = NOW + timedelta(hours=1)
LATER = NOW + timedelta(hours=2)


def hold(amount: str, **more: object) -> NewTransaction:
    """Reserve an amount of the till for a refund."""
    return transfer(amount, into=SALES, out_of=TILL, pending=True, **more)


class Counter(Desk):
    """A desk that also knows holds; each call is a unit of work that really commits."""

    def hold(self, amount: str, **more: object) -> Transaction:
        return self.record(hold(amount, **more)).transactions[0]

    def post(
        self, *wanted: HoldPost | Transaction, now: datetime = NOW, claim: Claim | None = None
    ) -> operations.Recorded:
        posts = [each if isinstance(each, HoldPost) else HoldPost(hold_id=each.id) for each in wanted]
        with self.at_work() as session:
            return operations.post_holds(session, self.ledger, posts, now=now, claim=claim)

    def void(self, *holds: Transaction, now: datetime = NOW, claim: Claim | None = None) -> operations.Recorded:
        with self.at_work() as session:
            return operations.void_holds(session, self.ledger, [each.id for each in holds], now=now, claim=claim)

    def expire(self, now: datetime = LATER, limit: int = 100) -> int:
        with self.at_work() as session:
            return operations.expire_holds(session, queries.get_ledger(session, self.ledger.name), now=now, limit=limit)

    def reverse(self, transaction_id: UUID, claim: Claim | None = None, **more: object) -> Transaction:
        wanted = NewReversal(transaction_id=transaction_id, **more)  # type: ignore[arg-type]
        with self.at_work() as session:
            return operations.reverse(session, self.ledger, wanted, now=NOW, claim=claim).transactions[0]

    def close_before(self, moment: datetime | None) -> None:
        change = LedgerChange(moves_period=True, locked_before=moment)
        with self.at_work() as session:
            operations.change_ledger(session, self.ledger, change, expected_version=None, now=NOW)

    def read(self, of: Transaction, now: datetime = NOW) -> Transaction:
        with self.at_work(readonly=True) as session:
            return queries.get_transaction(session, self.ledger, of.id, now=now)

    def left(self, of: Transaction) -> list[int | None]:
        return [posting.remaining_minor for posting in self.read(of).postings]

    def available(self, path: str = TILL) -> int:
        account = self.account(path)
        return account.balances["USD"].available(account.type.normal_side) if "USD" in account.balances else 0

    def pending_at(self, at: datetime, path: str = TILL) -> int:
        """Return what was reserved of an account at an effective time."""
        with self.at_work(readonly=True) as session:
            account_id = queries.get_account(session, self.ledger, path).id
            found = queries.balances_at(session, self.ledger, [account_id], at=at, known_at=None)
        return found[account_id, "USD"].credits_pending if found else 0

    def rows(self) -> list[object]:
        """Return every row of the ledger, to compare before and after."""
        with self.at_work(readonly=True) as session:
            return [
                sorted(map(repr, session.execute(sa.select(table).where(table.c.ledger_id == self.ledger.id))))
                for table in tables.metadata.sorted_tables
                if "ledger_id" in table.c
            ]

    def refused(
        self,
        code: str,
        act: Callable[[], object],
        *,
        index: int | None = None,
        line: int | None = None,
        transaction: Transaction | None = None,
    ) -> None:
        """Do what has to be refused, at this place, without a trace."""
        before = self.rows()
        with pytest.raises(errors.LedgerError) as raised:
            act()
        found = raised.value
        assert found.code == code, found
        if isinstance(found, errors.Refusal):
            assert (found.index, found.line) == (index, line), found
            assert found.transaction_id == (transaction.id if transaction is not None else None)
        assert self.rows() == before


def part(of: Transaction, *postings: NewPosting, **more: object) -> HoldPost:
    """Return the wish to post these postings of a hold."""
    return HoldPost(hold_id=of.id, postings=postings, **more)  # type: ignore[arg-type]


def share(of: Transaction, amount: str, **more: object) -> HoldPost:
    """Return the wish to post a part of a hold that was made by `hold`."""
    return part(of, *transfer(amount, into=SALES, out_of=TILL).postings, **more)


def conditional(wanted: NewTransaction, line: int, condition: Condition) -> NewTransaction:
    """Put a condition on one line of a transaction."""
    postings = list(wanted.postings)
    postings[line] = replace(postings[line], condition=condition)
    return replace(wanted, postings=postings)


def effects(of: Iterable[Transaction]) -> list[list[str]]:
    return [[posting.effect.value for posting in each.postings] for each in of]
