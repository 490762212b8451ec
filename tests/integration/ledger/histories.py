"""Histories of an account, drawn at random and written as rows, to compare what is read with what was drawn.

The rows are laid down as recording leaves them, whatever the times; only the ledger's own rules of money are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from myapp.ledger import ids, tables
from myapp.ledger.grains import Grain
from myapp.ledger.model import AMOUNT_MINOR_MAX, Counters, Effect, Ledger, Side
from myapp.ledger.queries.deltas import COUNTERS

FIRST = datetime(2026, 2, 27, tzinfo=UTC)
ACCOUNTS = 3
CURRENCIES = ("JPY", "USD")

# Around the ends of four days, of which one ends a month, each to the microsecond, and in between; one in each of the
# months beside them, one long before and one long after.
INSTANTS = [
    FIRST + timedelta(days=day, hours=hours, microseconds=microseconds)
    for day in range(4)
    for hours, microseconds in [(0, -1), (0, 0), (0, 1), (0, 999), (0, 1000), (7, 0), (12, 0)]
]
INSTANTS += [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 31, 1, tzinfo=UTC),
    datetime(2026, 4, 1, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC),
]
instants = st.sampled_from(INSTANTS)


@dataclass(frozen=True, slots=True)
class Entry:
    """A posting as it is drawn: `account` is a number."""

    account: int
    currency: str
    side: Side
    effect: Effect
    amount: int
    effective_at: datetime
    recorded_at: datetime

    @property
    def deltas(self) -> Sequence[int]:
        posted = self.amount if self.effect in (Effect.POSTED, Effect.TAKEN) else 0
        pending = {Effect.POSTED: 0, Effect.PENDING: self.amount}.get(self.effect, -self.amount)
        return (posted, 0, pending, 0) if self.side is Side.DEBIT else (0, posted, 0, pending)


entries = st.builds(
    Entry,
    account=st.integers(0, ACCOUNTS - 1),
    currency=st.sampled_from(CURRENCIES),
    side=st.sampled_from(Side),
    effect=st.sampled_from(Effect),
    amount=st.integers(1, 10**6),
    effective_at=instants,
    recorded_at=instants,
)
histories = st.lists(entries, min_size=5, max_size=30).map(
    lambda drawn: sorted(drawn, key=lambda entry: entry.recorded_at)
)


def total(history: Sequence[Entry]) -> Mapping[tuple[int, str], Counters]:
    """Add up, entry by entry."""
    sums: dict[tuple[int, str], list[int]] = {}
    for entry in history:
        held = sums.setdefault((entry.account, entry.currency), [0, 0, 0, 0])
        held[:] = [before + delta for before, delta in zip(held, entry.deltas, strict=True)]
    return {key: Counters(**dict(zip(COUNTERS, held, strict=True))) for key, held in sums.items()}


def write(session: Session, ledger: Ledger, history: Sequence[Entry]) -> Sequence[UUID]:
    """Write the entries, each a transaction of its own, and return the ids of the accounts."""
    account_ids = ids.new_ids(FIRST, ACCOUNTS)
    accounts = [
        {"id": account_id, "path": f"assets:{number}", "type": "asset", "metadata": {}, "version": 1}
        for number, account_id in enumerate(account_ids)
    ]
    _insert(session, ledger, tables.accounts, [row | {"created_at": FIRST} for row in accounts])
    transactions, postings, totals = [], [], Counter[tuple[Any, ...]]()
    versions = Counter[tuple[UUID, str]]()
    for entry in history:
        key = (account_ids[entry.account], entry.currency)
        versions[key] += 1
        transaction_id = ids.new_id(entry.recorded_at)
        transactions.append(_transaction(entry, transaction_id))
        postings.append(_posting(entry, transaction_id, key[0], versions[key]))
        for name, delta in zip(COUNTERS, entry.deltas, strict=True):
            for grain in Grain:
                totals[*key, grain, *_period(grain, entry), name] += delta
        for grain in Grain:
            totals[*key, grain, *_period(grain, entry), "lines"] += 1
    now = {key: Counters() for key in versions} | {
        (account_ids[number], currency): held for (number, currency), held in total(history).items()
    }
    _insert(session, ledger, tables.balances, [_balance(key, now[key], versions[key]) for key in versions])
    _insert(session, ledger, tables.transactions, transactions)
    _insert(session, ledger, tables.postings, postings)
    _insert(session, ledger, tables.period_totals, _period_totals(totals))
    return account_ids


def _insert(session: Session, ledger: Ledger, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(sa.insert(table), [{"ledger_id": ledger.id, **row} for row in rows])


def _transaction(entry: Entry, transaction_id: UUID) -> Mapping[str, Any]:
    return {
        "id": transaction_id,
        "status": "posted" if entry.effect in (Effect.POSTED, Effect.TAKEN) else "pending",
        "effective_at": entry.effective_at,
        "recorded_at": entry.recorded_at,
        "metadata": {},
    }


def _posting(entry: Entry, transaction_id: UUID, account_id: UUID, version: int) -> Mapping[str, Any]:
    return {
        "transaction_id": transaction_id,
        "line": 0,
        "account_id": account_id,
        "currency": entry.currency,
        "side": entry.side.value,
        "effect": entry.effect.value,
        "amount": entry.amount,
        "balance_version": version,
        "effective_at": entry.effective_at,
        **dict.fromkeys(COUNTERS, 0),
    }


def _balance(key: tuple[UUID, str], held: Counters, version: int) -> Mapping[str, Any]:
    """Return the balance; random holds end where no balance may."""
    counters = {name: min(max(0, getattr(held, name)), AMOUNT_MINOR_MAX) for name in COUNTERS}
    return {"account_id": key[0], "currency": key[1], "version": version, **counters}


def _period(grain: Grain, entry: Entry) -> tuple[date, date]:
    return grain.of(entry.effective_at.date()), grain.of(entry.recorded_at.date())


def _period_totals(totals: Mapping[tuple[Any, ...], int]) -> Sequence[Mapping[str, Any]]:
    names = ("account_id", "currency", "grain", "effective_from", "recorded_from")
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (*key, name), delta in totals.items():
        rows.setdefault(tuple(key), dict(zip(names, key, strict=True)))[name] = delta
    return list(rows.values())
