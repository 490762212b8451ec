"""Lock the balances of a request and move them, in the order of Note [Lock order] in recording/steps.py."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from myapp.ledger import chunks, upsert
from myapp.ledger.model import AMOUNT_MINOR_MAX, Ledger
from myapp.ledger.plan import NOTHING, Slot, Totals
from myapp.ledger.recording import refusals
from myapp.ledger.recording.request import Balance, Key, Request
from myapp.ledger.tables import balances

# How the balances of the slots, found by these keys, are locked and moved; one that is missing would have overflown.
Move = Callable[[Session, Request, Sequence[Key]], Mapping[Key, Balance]]

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
COLUMNS = tuple(balances.c[name] for name in Balance._fields)


def add(session: Session, request: Request, keys: Sequence[Key]) -> Mapping[Key, Balance]:
    """Create, lock and add to the balances in one statement, and return them; what would overflow stays as it is.

    Raises:
        AmountOutOfRange: no balance could take this much.
    """
    if not request.plan.fits:
        raise refusals.overflow(session, request, keys, ()) or refusals.gone()
    rows = [
        _added(request.ledger, key, slot.total)
        for key, slot in sorted(zip(keys, request.plan.slots, strict=True), key=lambda pair: pair[0])
    ]
    returned = session.execute(_add(upsert.dialect_of(session)), rows)
    return {Key(row.account_id, row.currency): Balance(*row) for row in returned}


def lock(session: Session, ledger: Ledger, keys: Collection[Key]) -> None:
    """Create what balances are missing, empty, and lock them all as they are; by `add`, for its order."""
    if keys:
        rows = [_added(ledger, key, NOTHING) for key in sorted(keys)]
        session.execute(_add(upsert.dialect_of(session)), rows).all()


def shift(session: Session, request: Request, keys: Sequence[Key]) -> Mapping[Key, Balance]:
    """Lock balances that are there, take from what is pending and add to what is posted, and return them.

    A posting moves no more than was pending, so nothing overflows. An INSERT that becomes an UPDATE, as in `add`, would
    be held to the rule that no counter is negative before it knows that there is one to take from.
    """
    ids = sorted({key.account_id for key in keys})
    query = sa.select(*COLUMNS).order_by(balances.c.account_id, balances.c.currency).with_for_update(key_share=True)
    found = {
        Key(row.account_id, row.currency): Balance(*row)
        for some in chunks.of(ids)
        for row in session.execute(
            query.where(balances.c.ledger_id == request.ledger.id, balances.c.account_id.in_(some))
        )
    }
    moved = {key: _shifted(found[key], slot) for key, slot in zip(keys, request.plan.slots, strict=True)}
    session.execute(_update(), [_row(request, balance) for _, balance in sorted(moved.items())])
    return moved


def _added(ledger: Ledger, key: Key, total: Totals) -> Mapping[str, Any]:
    return {
        **key._asdict(),
        "ledger_id": ledger.id,
        "debits_posted": total.debits,
        "credits_posted": total.credits,
        "debits_pending": total.debits_pending,
        "credits_pending": total.credits_pending,
        "version": total.lines,
    }


def _shifted(balance: Balance, slot: Slot) -> Balance:
    total = slot.total
    return balance._replace(
        debits_posted=balance.debits_posted + total.debits,
        credits_posted=balance.credits_posted + total.credits,
        debits_pending=balance.debits_pending + total.debits_pending,
        credits_pending=balance.credits_pending + total.credits_pending,
        version=balance.version + total.lines,
    )


def _row(request: Request, balance: Balance) -> Mapping[str, Any]:
    return {
        "of_ledger": request.ledger.id,
        "of_account": balance.account_id,
        "of_currency": balance.currency,
        **{name: getattr(balance, name) for name in (*COUNTERS, "version")},
    }


@functools.cache
def _update() -> sa.Update:
    return sa.update(balances).where(
        balances.c.ledger_id == sa.bindparam("of_ledger"),
        balances.c.account_id == sa.bindparam("of_account"),
        balances.c.currency == sa.bindparam("of_currency"),
    )


@functools.cache
def _add(dialect: str) -> ReturningInsert[*tuple[Any, ...]]:
    insert = upsert.insert(dialect, balances)
    new = insert.excluded
    # What is pending may be posted one day, so both together have to fit. Written so that nothing overflows on the way:
    # SQLite would go on with a float.
    fits = sa.and_(
        *(
            balances.c[f"{side}_posted"]
            <= AMOUNT_MINOR_MAX - new[f"{side}_posted"] - new[f"{side}_pending"] - balances.c[f"{side}_pending"]
            for side in ("debits", "credits")
        )
    )
    insert = insert.on_conflict_do_update(
        index_elements=["ledger_id", "account_id", "currency"],
        set_={name: balances.c[name] + new[name] for name in (*COUNTERS, "version")},
        where=fits,
    )
    return insert.returning(*COLUMNS)
