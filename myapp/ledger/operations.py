"""What changes a ledger. Nothing here commits, and nothing reads the clock: `now` is aware UTC.

Every refusal leaves the unit of work to be rolled back by its owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import currencies, errors, idempotency, ids, plan, queries, reversing, upsert, words
from myapp.ledger.accounts import change_account, open_account
from myapp.ledger.currencies import declare as declare_currency
from myapp.ledger.events import writing
from myapp.ledger.events.numbering import ISOLATION as NUMBERING_ISOLATION
from myapp.ledger.events.numbering import number as number_events
from myapp.ledger.holding import posting, releasing
from myapp.ledger.holding.releasing import EXPIRED_PORTION, free_expired
from myapp.ledger.holding.releasing import expire as expire_holds
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import EventType, HoldPost, Ledger, LedgerDetails, NewReversal, NewTransaction, Transaction
from myapp.ledger.periods import change_ledger
from myapp.ledger.prices import record_prices
from myapp.ledger.recording import Form, outcome, request, statement, steps
from myapp.ledger.tables import ledgers
from myapp.ledger.webhooks.managing import (
    change_webhook,
    create_webhook,
    ping_webhook,
    remove_webhook,
    replay_webhook,
    rotate_webhook_secret,
)

__all__ = [
    "EXPIRED_PORTION",
    "NUMBERING_ISOLATION",
    "Recorded",
    "change_account",
    "change_ledger",
    "change_webhook",
    "create_ledger",
    "create_webhook",
    "declare_currency",
    "dry_run",
    "expire_holds",
    "free_expired",
    "number_events",
    "open_account",
    "ping_webhook",
    "post_holds",
    "record",
    "record_prices",
    "remove_webhook",
    "replay_webhook",
    "reverse",
    "rotate_webhook_secret",
    "void_holds",
]

FORMS = {Form.STEPS: steps.record, Form.STATEMENT: statement.record}


@dataclass(frozen=True, slots=True)
class Recorded:
    """The transactions of a request; `replayed` says that an earlier request with its key recorded them.

    `declared` are currencies that the ledger was found to have before it, with their exponents.
    """

    transactions: Sequence[Transaction]
    replayed: bool
    declared: Mapping[str, int] = field(default_factory=dict)


def create_ledger(session: Session, name: str, *, metadata: Mapping[str, str], now: datetime) -> LedgerDetails:
    """Create an empty ledger.

    Raises:
        InvalidValue: it is no name of a ledger.
        AlreadyExists: the name is taken.
    """
    words.check_ledger_name(name)
    ledger = LedgerDetails(
        id=ids.new_id(now), name=name, metadata=metadata, locked_before=None, version=1, created_at=now
    )
    insert = upsert.insert(upsert.dialect_of(session), ledgers).values(
        id=ledger.id, name=name, metadata=metadata, version=ledger.version, created_at=now
    )
    if session.scalar(insert.on_conflict_do_nothing(index_elements=["name"]).returning(ledgers.c.id)) is None:
        raise errors.AlreadyExists(f"There is a ledger {name!r} already.")
    payload = {"name": name, "metadata": metadata, "version": ledger.version}
    writing.announce(session, ledger.id, EventType.LEDGER_CREATED, id=ids.new_id(now), payload=payload, now=now)
    return ledger


def record(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[NewTransaction],
    *,
    now: datetime,
    form: Form,
    claim: Claim | None = None,
    judges_expiry: bool = True,
    declared: Mapping[str, int] | None = None,
) -> Recorded:
    """Record one or many transactions, all or none, and return them with the resulting balances.

    Shape: 1 to 10,000 transactions of 2 to 1,000 postings, each zero in every currency. A batch means the same as its
    transactions one after the other. With a claim used before by the same request, return what that recorded. Without
    `judges_expiry` a hold may have expired by `now`: `replaying` records what happened before. Currencies that are
    known to be `declared` in the ledger are not asked for again.
    Raises:
        Refusal: one of those in docs/ledger.md, "Refusals"; index and line say where.
        IdempotencyMismatch, IdempotencyInProgress: the claim's key belongs to another request, or to one in flight.
    """
    plan.check_shape(wanted)
    codes = {posting.currency for transaction in wanted for posting in transaction.postings}
    exponents = currencies.read(session, ledger.id, codes, declared=declared)
    try:
        return _record(session, ledger, wanted, exponents, now=now, form=form, claim=claim, judges_expiry=judges_expiry)
    except sa_exc.OperationalError as exc:
        if claim is not None and idempotency.is_wait_for_key(exc):
            raise idempotency.in_progress(claim) from exc
        raise


def post_holds(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[HoldPost],
    *,
    now: datetime,
    claim: Claim | None = None,
    judges_expiry: bool = True,
) -> Recorded:
    """Post holds, wholly or in part, all or none, and return the transactions that do; `judges_expiry` as in `record`.

    Raises:
        Refusal: as `holding.posting.post`.
        IdempotencyMismatch, IdempotencyInProgress: as `record`.
    """
    posted = posting.post(session, ledger, wanted, now=now, claim=claim, judges_expiry=judges_expiry)
    return _recorded(session, ledger, posted, claim)


def void_holds(
    session: Session, ledger: Ledger, hold_ids: Sequence[UUID], *, now: datetime, claim: Claim | None = None
) -> Recorded:
    """Void holds, all or none, and return them as they are then.

    Raises:
        Refusal: as `holding.releasing.void`.
        IdempotencyMismatch, IdempotencyInProgress: as `record`.
    """
    is_new = releasing.void(session, ledger, hold_ids, now=now, claim=claim) is not None
    if not is_new and claim is not None:
        idempotency.read_transactions(session, ledger.id, claim)
    return Recorded(queries.list_holds(session, ledger, hold_ids, now=now), replayed=not is_new)


def reverse(
    session: Session, ledger: Ledger, wanted: NewReversal, *, now: datetime, claim: Claim | None = None
) -> Recorded:
    """Reverse a transaction, once, and return the one that does.

    Raises:
        Refusal: as `reversing.reverse`.
        IdempotencyMismatch, IdempotencyInProgress: as `record`.
    """
    reversal = reversing.reverse(session, ledger, wanted, now=now, claim=claim)
    return _recorded(session, ledger, None if reversal is None else [reversal], claim)


def dry_run(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[NewTransaction],
    *,
    now: datetime,
    form: Form,
) -> Recorded:
    """Answer as `record` would, with the same refusals, and leave nothing.

    Holds that have expired give back first what they reserve of the accounts; that is undone as well.
    """
    paths = {posting.account for transaction in wanted for posting in transaction.postings}
    with scope.discarded(session):
        while queries.has_expired_holds(session, ledger, now=now, paths=paths):
            free_expired(session, ledger, now=now, paths=paths)
        return record(session, ledger, wanted, now=now, form=form)


def _record(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[NewTransaction],
    exponents: currencies.Exponents,
    *,
    now: datetime,
    form: Form,
    claim: Claim | None,
    judges_expiry: bool,
) -> Recorded:
    try:
        if judges_expiry:
            plan.check_expiry(wanted, now=now)
        planned = plan.make(wanted, exponents.of)
    except errors.Refusal:
        # A key that is in use comes before anything the request is refused for.
        if claim is not None and not idempotency.take_for_transactions(session, ledger.id, claim, [], now=now):
            return _replay(session, ledger, claim)
        raise
    entries = [
        request.entry(each, id=new_id, now=now)
        for each, new_id in zip(wanted, ids.new_ids(now, len(wanted)), strict=True)
    ]
    made = request.Request(
        ledger=ledger, entries=entries, plan=planned, first_used=exponents.first_used, claim=claim, now=now
    )
    places = FORMS[form](session, made)
    if claim is not None and places is None:
        return _replay(session, ledger, claim)
    return Recorded(outcome.transactions(made, places or ()), replayed=False, declared=exponents.declared)


def _recorded(session: Session, ledger: Ledger, made: Sequence[Transaction] | None, claim: Claim | None) -> Recorded:
    if made is None and claim is not None:
        return _replay(session, ledger, claim)
    return Recorded(made or (), replayed=False)


def _replay(session: Session, ledger: Ledger, claim: Claim) -> Recorded:
    transaction_ids = idempotency.read_transactions(session, ledger.id, claim)
    return Recorded(queries.load_transactions(session, ledger, transaction_ids), replayed=True)
