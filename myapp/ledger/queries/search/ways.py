"""The ways to search along an index, each with how many it would find: what there is to choose from."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from myapp.ledger import tables
from myapp.ledger.model import Ledger, Status
from myapp.ledger.queries.search import conditions
from myapp.ledger.queries.search.criteria import TransactionFilter
from myapp.ledger.queries.search.span import Span
from myapp.ledger.queries.search.walks import COLLECTED_MAX, Collected, Merged, Ordered, Walk

accounts, balances, holds, postings = tables.accounts, tables.balances, tables.holds, tables.postings
terms, transactions = tables.transaction_terms, tables.transactions

# More days than this, or more accounts, are not merged.
KEYS_MAX = 5_000
MICROSECOND = timedelta(microseconds=1)

Condition = sa.ColumnElement[bool]
Estimate = sa.ScalarSelect[Any]


@dataclass(frozen=True, kw_only=True)
class Way:
    """A walk with a query for how many it finds, counted up to `COLLECTED_MAX`; NULL if it cannot be gone.

    One that is `for_few` is not gone if there are so many; one that is `certain` can be gone without asking.
    """

    walk: Walk
    estimate: Estimate
    for_few: bool = False
    certain: bool = False


def whole(ledger: Ledger) -> Walk:
    """Return the walk over all transactions."""
    return Ordered(name="ledger", id=transactions.c.id, conditions=[transactions.c.ledger_id == ledger.id])


def of(ledger: Ledger, criteria: TransactionFilter, span: Span) -> Iterator[Way]:
    """Yield the ways of a search, the better first where they find as many."""
    if criteria.reference is not None:
        is_it = transactions.c.reference == criteria.reference
        yield _few("reference", ledger, transactions.c.id, [transactions.c.reference], is_it)
    if criteria.status is not None and criteria.status is not Status.POSTED:
        yield _by_status(ledger, criteria.status, criteria.known_at, span)
    if criteria.effective_to is not None:
        # What is recent is soon found along anything; a period that has ended may be far back.
        yield from _by_day(ledger, criteria)
    for term in criteria.terms:
        yield _ordered("term", ledger, terms.c.transaction_id, span, terms.c.term == term)
    if criteria.account is not None:
        yield from _by_account(ledger, criteria.account, criteria, span)
    if criteria.currency is not None:
        yield _by_amount(ledger, criteria, span)
    if criteria.subtree is not None:
        yield _by_subtree(ledger, criteria.subtree)
    if criteria.effective_from is not None and criteria.effective_to is None:
        yield from _by_day(ledger, criteria)


def _by_status(ledger: Ledger, status: Status, known_at: datetime | None, span: Span) -> Way:
    if status in (Status.PENDING, Status.EXPIRED) and known_at is not None:
        # What was pending then may be anything by now; so may what had expired and waited, for a replay.
        return _ordered("holds", ledger, holds.c.transaction_id, span)
    states = conditions.states_of(status)
    ways = [_ordered("status", ledger, holds.c.transaction_id, span, holds.c.state == state) for state in states]
    if len(ways) == 1:
        return ways[0]
    keys = sa.union_all(
        *(sa.select(sa.literal(state, holds.c.state.type).label("state")) for state in states)
    ).subquery()
    walk = Merged(name="status", keys=keys, id=holds.c.transaction_id, key=holds.c.state, ledger_id=ledger.id)
    together = sa.select(functools.reduce(operator.add, (way.estimate for way in ways)))
    return Way(walk=walk, estimate=together.scalar_subquery(), certain=True)


def _by_account(ledger: Ledger, path: str, criteria: TransactionFilter, span: Span) -> Iterator[Way]:
    is_it = postings.c.account_id == conditions.id_of(ledger, path)
    if criteria.asks_for_a_period:
        period = conditions.in_period(postings.c.effective_at, criteria)
        order = [postings.c.effective_at, postings.c.balance_version, postings.c.currency]
        yield _few("account and period", ledger, postings.c.transaction_id, order, is_it, *period)
    yield _ordered("account", ledger, postings.c.transaction_id, span, is_it, repeats=True)


def _by_amount(ledger: Ledger, criteria: TransactionFilter, span: Span) -> Way:
    met = list(conditions.of_posting(postings, criteria))
    if criteria.amount_min is not None and criteria.amount_min == criteria.amount_max:
        met = [postings.c.currency == criteria.currency, postings.c.amount == criteria.amount_min]
        return _ordered("amount", ledger, postings.c.transaction_id, span, *met, repeats=True)
    order = [postings.c.amount, postings.c.transaction_id]
    return _few("amounts", ledger, postings.c.transaction_id, order, *met)


def _by_subtree(ledger: Ledger, path: str) -> Way:
    is_below = conditions.below(path, accounts.c.path)
    keys = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, is_below).limit(KEYS_MAX + 1)
    some = keys.subquery()
    its = sa.select(sa.func.sum(balances.c.version)).where(
        balances.c.ledger_id == ledger.id, balances.c.account_id == some.c.id
    )
    found = sa.func.coalesce(sa.func.sum(its.scalar_subquery()), 0)
    walk = Merged(
        name="subtree",
        keys=keys.subquery(),
        id=postings.c.transaction_id,
        key=postings.c.account_id,
        ledger_id=ledger.id,
    )
    return Way(walk=walk, estimate=_unless_too_many(some, found))


def _by_day(ledger: Ledger, criteria: TransactionFilter) -> Iterator[Way]:
    day, in_ledger = transactions.c.effective_day, transactions.c.ledger_id == ledger.id
    since, until = [], []
    if criteria.effective_from is not None:
        since.append(day >= criteria.effective_from.date())
    if criteria.effective_to is not None:
        until.append(day <= (criteria.effective_to - MICROSECOND).date())
    yield _few("period", ledger, transactions.c.id, [day, transactions.c.id], *since, *until)
    days = _days(in_ledger, since, until)
    walk = Merged(name="days", keys=days, id=transactions.c.id, key=day, ledger_id=ledger.id)
    yield Way(walk=walk, estimate=_unless_too_many(days.alias(), sa.literal(COLLECTED_MAX)))


def _days(in_ledger: Condition, since: Sequence[Condition], until: Sequence[Condition]) -> sa.Subquery:
    """Ask for the days on which something is effective, by going from one to the next along the index."""
    day = transactions.c.effective_day
    first = sa.select(day).where(in_ledger, *since, *until).order_by(day).limit(1).scalar_subquery()
    days = sa.select(first.label("day")).cte("days", recursive=True)
    # With two lower bounds SQLite might begin at the wrong one each time.
    following = sa.select(day).where(in_ledger, day > days.c.day, *until).order_by(day).limit(1).scalar_subquery()
    days = days.union_all(sa.select(following).where(days.c.day.is_not(None)))
    return sa.select(days.c.day).where(days.c.day.is_not(None)).limit(KEYS_MAX + 1).subquery()


def _ordered(
    name: str,
    ledger: Ledger,
    id: sa.Column[UUID],  # noqa: A002
    span: Span,
    *met: Condition,
    repeats: bool = False,
) -> Way:
    its = [id.table.c.ledger_id == ledger.id, *met]
    estimate = _count([*its, *span.holds(id)], [id.desc()])
    return Way(walk=Ordered(name=name, id=id, conditions=its, repeats=repeats), estimate=estimate, certain=True)


def _few(name: str, ledger: Ledger, id: sa.Column[UUID], order: Sequence[sa.Column[Any]], *met: Condition) -> Way:  # noqa: A002
    its = [id.table.c.ledger_id == ledger.id, *met]
    walk = Collected(name=name, id=id, conditions=its, order=order, otherwise=whole(ledger))
    return Way(walk=walk, estimate=_count(its, order), for_few=True)


def _count(its: Sequence[Condition], order: Sequence[sa.ColumnElement[Any]]) -> Estimate:
    some = sa.select(sa.literal(1).label("one")).where(*its).order_by(*order).limit(COLLECTED_MAX).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def _unless_too_many(keys: Any, found: sa.ColumnElement[Any]) -> Estimate:
    return sa.select(sa.case((sa.func.count() <= KEYS_MAX, found))).select_from(keys).scalar_subquery()
