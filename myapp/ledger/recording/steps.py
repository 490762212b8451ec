"""Record in steps: a handful of plain statements, for any engine.

Each statement names the ledger as a constant and joins no VALUES, so that a distributed PostgreSQL routes it whole to
the node that has the ledger. Rows are locked in the order of Note [Lock order].
"""

# Note [Lock order]
# Every writer takes its locks in one order, so that two requests never wait for each other: the idempotency key,
# currencies by code, transactions by reference, balances by account id and currency, and last, by its foreign key, the
# account of a balance that is new. Other rows read on the way (accounts, the ledger) are not locked.

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from myapp.ledger import currencies, idempotency, upsert
from myapp.ledger.model import AMOUNT_MINOR_MAX, AccountType, Status
from myapp.ledger.recording import limits, parties, refusals
from myapp.ledger.recording.request import Balance, Key, Place, Request, after
from myapp.ledger.tables import balances, postings, transactions

INSERT_POSTINGS = sa.insert(postings)
COUNTERS = ("debits_posted", "credits_posted")


def record(session: Session, request: Request) -> Sequence[Place] | None:
    """Record the request and return where each slot's postings went, or None where its idempotency key is in use.

    Raises:
        Refusal: see docs/ledger.md, "Refusals".
    """
    if not _take_key(session, request):
        return None
    currencies.use(session, request.ledger.id, request.first_used)
    found = parties.read(session, request)
    parties.check(request, found)
    _insert_transactions(session, request)
    accounts = [found.accounts[slot.path] for slot in request.plan.slots]
    keys = [Key(account.id, slot.currency) for account, slot in zip(accounts, request.plan.slots, strict=True)]
    moved = _move(session, request, keys)
    parties.check_again(session, request, [moved.get(key) for key in keys])
    if len(moved) < len(keys):
        raise refusals.overflow(session, request, keys, moved.keys()) or refusals.gone()
    places = [Place(AccountType(account.type), moved[key]) for account, key in zip(accounts, keys, strict=True)]
    limits.check(request, places)
    session.execute(INSERT_POSTINGS, list(_posting_rows(request, places)))
    return places


def _take_key(session: Session, request: Request) -> bool:
    claim = request.claim
    return claim is None or idempotency.take_for_transactions(
        session, request.ledger.id, claim, request.ids, now=request.now
    )


def _insert_transactions(session: Session, request: Request) -> None:
    rows = sorted(_transaction_rows(request), key=lambda row: row["reference"] or "")
    inserted = session.execute(_insert_unless_referenced(upsert.dialect_of(session)), rows).all()
    if len(inserted) < len(rows):
        raise refusals.duplicate(session, request) or refusals.gone()


@functools.cache
def _insert_unless_referenced(dialect: str) -> ReturningInsert[UUID]:
    insert = upsert.insert(dialect, transactions).on_conflict_do_nothing(
        index_elements=["ledger_id", "reference"], index_where=transactions.c.reference.is_not(None)
    )
    return insert.returning(transactions.c.id)


def _transaction_rows(request: Request) -> Iterable[dict[str, Any]]:
    for index, wanted in enumerate(request.wanted):
        yield {
            "ledger_id": request.ledger.id,
            "id": request.ids[index],
            "reference": wanted.reference,
            "status": Status.POSTED.value,
            "effective_at": request.effective[index],
            "recorded_at": request.now,
            "description": wanted.description,
            "metadata": wanted.metadata,
        }


def _move(session: Session, request: Request, keys: Sequence[Key]) -> Mapping[Key, Balance]:
    """Create, lock and add to the balances in one statement; a row whose counter would overflow stays as it is."""
    if not request.plan.fits:
        raise refusals.overflow(session, request, keys, ()) or refusals.gone()
    rows = [
        {
            **key._asdict(),
            "ledger_id": request.ledger.id,
            "debits_posted": slot.debits,
            "credits_posted": slot.credits,
            "debits_pending": 0,
            "credits_pending": 0,
            "version": slot.count,
        }
        for key, slot in sorted(zip(keys, request.plan.slots, strict=True), key=lambda pair: pair[0])
    ]
    returned = session.execute(_add(upsert.dialect_of(session)), rows)
    return {Key(row.account_id, row.currency): Balance(*row) for row in returned}


@functools.cache
def _add(dialect: str) -> ReturningInsert[*tuple[Any, ...]]:
    insert = upsert.insert(dialect, balances)
    added = (*COUNTERS, "version")
    # Written so that nothing overflows: SQLite would go on with a float.
    fits = sa.and_(*(balances.c[name] <= AMOUNT_MINOR_MAX - insert.excluded[name] for name in COUNTERS))
    insert = insert.on_conflict_do_update(
        index_elements=["ledger_id", "account_id", "currency"],
        set_={name: balances.c[name] + insert.excluded[name] for name in added},
        where=fits,
    )
    return insert.returning(*(balances.c[name] for name in Balance._fields))


def _posting_rows(request: Request, places: Sequence[Place]) -> Iterable[dict[str, Any]]:
    for line in request.plan.lines:
        balance = places[line.slot].balance
        then = after(request, line, balance)
        yield {
            "ledger_id": request.ledger.id,
            "transaction_id": request.ids[line.transaction],
            "line": line.line,
            "account_id": balance.account_id,
            "currency": balance.currency,
            "side": line.side.value,
            "amount": line.amount,
            "debits_posted": then.debits_posted,
            "credits_posted": then.credits_posted,
            "debits_pending": balance.debits_pending,
            "credits_pending": balance.credits_pending,
            "balance_version": then.version,
            "effective_at": request.effective[line.transaction],
        }
