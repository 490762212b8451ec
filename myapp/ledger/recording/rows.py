"""The rows that a request writes beside the balances: transactions, postings, holds, period totals and events."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from myapp.ledger import errors, grains, upsert
from myapp.ledger.columns import Int64
from myapp.ledger.events import writing
from myapp.ledger.model import AMOUNT_MINOR_MAX, Effect, Status
from myapp.ledger.recording import totals
from myapp.ledger.recording.moving import COUNTERS
from myapp.ledger.recording.request import Entry, Place, Request, after
from myapp.ledger.tables import events, hold_lines, holds, period_totals, postings, transactions

Row = dict[str, Any]

INSERT_POSTINGS = sa.insert(postings)
INSERT_HOLDS = sa.insert(holds)
INSERT_HOLD_LINES = sa.insert(hold_lines)
PERIOD_KEY = tuple(column.name for column in period_totals.primary_key)
TOTALLED = (*COUNTERS, "lines")
PENDING = ("debits_pending", "credits_pending")


def insert_transactions(session: Session, request: Request) -> bool:
    """Insert the transactions by reference, in the order of Note [Lock order]; say whether every reference was free."""
    rows = sorted(
        map(functools.partial(_transaction, request), request.entries), key=lambda row: row["reference"] or ""
    )
    return len(session.execute(_insert_unless_referenced(upsert.dialect_of(session)), rows).all()) == len(rows)


def insert_lines(session: Session, request: Request, places: Sequence[Place]) -> None:
    """Insert everything that hangs on the transactions; `places` has one for each slot."""
    session.execute(INSERT_POSTINGS, list(_postings(request, places)))
    new_holds = [entry for entry in request.entries if _is_hold(entry)]
    if new_holds:
        session.execute(INSERT_HOLDS, [_hold(request, entry) for entry in new_holds])
        session.execute(INSERT_HOLD_LINES, list(_hold_lines(request)))
    dialect = upsert.dialect_of(session)
    _add_to_totals(session, request, places)
    session.execute(_insert_events(dialect), [_event(request, entry) for entry in request.entries])


@functools.cache
def _insert_unless_referenced(dialect: str) -> ReturningInsert[UUID]:
    insert = upsert.insert(dialect, transactions).on_conflict_do_nothing(
        index_elements=["ledger_id", "reference"], index_where=transactions.c.reference.is_not(None)
    )
    return insert.returning(transactions.c.id)


def _transaction(request: Request, entry: Entry) -> Row:
    return {
        "ledger_id": request.ledger.id,
        "id": entry.id,
        "reference": entry.reference,
        "status": entry.status.value,
        "effective_at": entry.effective_at,
        "recorded_at": request.now,
        "description": entry.description,
        "metadata": entry.metadata,
        "pending_of": entry.pending_of,
        "reverses": entry.reverses,
        "expires_at": entry.expires_at,
    }


def _postings(request: Request, places: Sequence[Place]) -> Iterable[Row]:
    for line in request.plan.lines:
        balance, entry = places[line.slot].balance, request.entries[line.transaction]
        then = after(request, line, balance)
        yield {
            "ledger_id": request.ledger.id,
            "transaction_id": entry.id,
            "line": line.line,
            "account_id": balance.account_id,
            "currency": balance.currency,
            "side": line.side.value,
            "amount": line.amount,
            "debits_posted": then.debits_posted,
            "credits_posted": then.credits_posted,
            "debits_pending": then.debits_pending,
            "credits_pending": then.credits_pending,
            "balance_version": then.version,
            "effective_at": entry.effective_at,
            "effect": line.effect.value,
        }


def _is_hold(entry: Entry) -> bool:
    return entry.status is Status.PENDING and entry.pending_of is None


def _hold(request: Request, entry: Entry) -> Row:
    return {
        "ledger_id": request.ledger.id,
        "transaction_id": entry.id,
        "state": Status.PENDING.value,
        "expires_at": entry.expires_at,
        "posts": 0,
        "reversed_posts": 0,
    }


def _hold_lines(request: Request) -> Iterable[Row]:
    for line in request.plan.lines:
        if line.effect is Effect.PENDING:
            yield {
                "ledger_id": request.ledger.id,
                "transaction_id": request.entries[line.transaction].id,
                "line": line.line,
                "remaining": line.amount,
            }


def _period_totals(request: Request, places: Sequence[Place]) -> Iterable[Row]:
    today = grains.day_of(request.now)
    for (slot, grain, effective_from), total in totals.totals(request).items():
        balance = places[slot].balance
        yield {
            "ledger_id": request.ledger.id,
            "account_id": balance.account_id,
            "currency": balance.currency,
            "grain": grain.value,
            "effective_from": effective_from,
            "recorded_from": grain.of(today),
            "debits_posted": total.debits,
            "credits_posted": total.credits,
            "debits_pending": total.debits_pending,
            "credits_pending": total.credits_pending,
            "lines": total.lines,
        }


def _add_to_totals(session: Session, request: Request, places: Sequence[Place]) -> None:
    """Add to the period totals.

    What is posted fits wherever it fits its balance. What is pending need not: a hold may be made with effect in a
    period, and be given back in another, again and again.
    """
    added = list(_period_totals(request, places))
    result = session.execute(_add_where_it_fits(upsert.dialect_of(session)), added)
    if cast("sa.CursorResult[Any]", result).rowcount < len(added):
        raise errors.AmountOutOfRange(
            "What is pending with effect on one day, or in one month, would not fit in 64 bits."
        )


@functools.cache
def _add_where_it_fits(dialect: str) -> postgresql.Insert:
    insert = upsert.insert(dialect, period_totals)
    adding = insert.on_conflict_do_update(
        index_elements=PERIOD_KEY,
        set_={name: period_totals.c[name] + insert.excluded[name] for name in TOTALLED},
        where=sa.and_(*(_fits(period_totals.c[name], insert.excluded[name]) for name in PENDING)),
    )
    return adding.execution_options(preserve_rowcount=True)


def _fits(held: sa.ColumnElement[int], added: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    most = sa.literal(AMOUNT_MINOR_MAX, Int64)
    return sa.case((added < 0, held >= -most - added), else_=held <= most - added)


@functools.cache
def _insert_events(dialect: str) -> sa.Insert:
    return sa.insert(events).values(place=writing.place(dialect))


def _event(request: Request, entry: Entry) -> Row:
    return {
        "ledger_id": request.ledger.id,
        "id": entry.id,
        "type": entry.event.value,
        "payload": {},
        "recorded_at": request.now,
    }
