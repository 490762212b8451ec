"""What is true of a transaction that is searched for, judged row by row: each by a key, none by a join."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from myapp.ledger import tables
from myapp.ledger.model import Effect, Ledger, Status
from myapp.ledger.queries import subtree
from myapp.ledger.queries.horizon import Horizon
from myapp.ledger.queries.search.criteria import TransactionFilter

accounts, holds, postings = tables.accounts, tables.holds, tables.postings
terms, transactions = tables.transaction_terms, tables.transactions

Condition = sa.ColumnElement[bool]


def of(ledger: Ledger, criteria: TransactionFilter, *, seen: Horizon) -> Iterator[Condition]:
    """Yield what every transaction on the page meets. The correlated parts are looked up by key, transaction by
    transaction."""
    yield is_listed()
    if criteria.reference is not None:
        yield transactions.c.reference == criteria.reference
    yield from in_period(transactions.c.effective_at, criteria)
    if criteria.status is not None:
        yield _has_status(ledger, criteria.status, seen)
    for term in criteria.terms:
        yield _exists(
            terms, terms.c.ledger_id == ledger.id, terms.c.term == term, terms.c.transaction_id == transactions.c.id
        )
    if any(part is not None for part in (criteria.account, criteria.subtree, criteria.currency)):
        yield _has_posting(ledger, criteria)


def id_of(ledger: Ledger, path: str) -> sa.ScalarSelect[UUID]:
    """Ask for the id of an account."""
    query = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    return query.scalar_subquery()


def is_listed() -> Condition:
    """Leave out what only records that a hold was voided or expired; the hold itself says so."""
    return sa.or_(transactions.c.status != Status.PENDING.value, transactions.c.pending_of.is_(None))


def of_posting(lines: sa.FromClause, criteria: TransactionFilter) -> Iterator[Condition]:
    """Yield what the posting itself says."""
    if criteria.currency is not None:
        yield lines.c.currency == criteria.currency
    if criteria.amount_min is not None:
        yield lines.c.amount >= criteria.amount_min
    if criteria.amount_max is not None:
        yield lines.c.amount <= criteria.amount_max


def below(path: str, column: sa.ColumnElement[str]) -> Condition:
    """Say that an account's path is this one or below it."""
    return subtree.holds(column, path, *subtree.ends(path))


def in_period(column: sa.ColumnElement[Any], criteria: TransactionFilter) -> Iterator[Condition]:
    if criteria.effective_from is not None:
        yield column >= criteria.effective_from
    if criteria.effective_to is not None:
        yield column < criteria.effective_to


def _has_posting(ledger: Ledger, criteria: TransactionFilter) -> Condition:
    # Fenced off, so that the lines are read by transaction and by no other index.
    its = sa.select(postings.c.account_id, postings.c.currency, postings.c.amount, postings.c.effect).where(
        postings.c.ledger_id == ledger.id, postings.c.transaction_id == transactions.c.id
    )
    lines = its.correlate(transactions).offset(0).subquery()
    # What a hold's last part gives back is no posting of an amount.
    met = [lines.c.effect != Effect.RELEASED.value, *of_posting(lines, criteria)]
    if criteria.account is not None:
        met.append(lines.c.account_id == id_of(ledger, criteria.account))
    if criteria.subtree is not None:
        its_account = sa.select(accounts.c.path).where(
            accounts.c.ledger_id == ledger.id, accounts.c.id == lines.c.account_id
        )
        path = its_account.correlate(lines).offset(0).subquery().c.path
        met.append(sa.select(path).where(below(criteria.subtree, path)).offset(0).exists())
    return sa.select(lines.c.amount).where(*met).offset(0).exists()


def _has_status(ledger: Ledger, status: Status, seen: Horizon) -> Condition:
    """Say that it shows this status: what it was recorded as or, of a hold, what had become of it by then."""
    is_over = sa.and_(holds.c.expires_at.is_not(None), holds.c.expires_at <= seen.now)
    waits, shows = holds.c.state == Status.PENDING.value, holds.c.state == status.value
    if seen.end is not None:
        # See Note [What was known of a hold] in queries/outcomes.py.
        was_changed_since = _is_followed_since(ledger, seen.end)
        waits, shows = sa.or_(waits, was_changed_since), sa.and_(shows, sa.not_(was_changed_since))
    if status is Status.PENDING:
        shows = sa.and_(waits, sa.not_(is_over))
    if status is Status.EXPIRED:
        shows = sa.or_(shows, sa.and_(waits, is_over))
    its = (holds.c.ledger_id == ledger.id, holds.c.transaction_id == transactions.c.id)
    as_hold = sa.and_(transactions.c.status == Status.PENDING.value, _exists(holds, *its, shows))
    return sa.or_(transactions.c.status == status.value, as_hold) if status is Status.POSTED else as_hold


def _is_followed_since(ledger: Ledger, end: UUID) -> Condition:
    """Say that a hold was posted or given back by what has this id or a later one."""
    # Fenced off, so that they are read by their hold and by no other index.
    followers = transactions.alias()
    its = sa.select(followers.c.id).where(
        followers.c.ledger_id == ledger.id, followers.c.pending_of == holds.c.transaction_id
    )
    ids = its.correlate(holds).offset(0).subquery()
    return sa.select(ids.c.id).where(ids.c.id >= end).offset(0).exists()


def states_of(status: Status) -> Sequence[str]:
    """Return the states of holds that may show this status; one that waits expires by itself."""
    return [Status.EXPIRED.value, Status.PENDING.value] if status is Status.EXPIRED else [status.value]


def _exists(table: sa.Table, *conditions: Condition) -> Condition:
    # The offset keeps PostgreSQL from making a join of it. See Note [Plans for a new ledger] in queries/__init__.py.
    return sa.select(table.c.ledger_id).where(*conditions).offset(0).exists()
