"""Record in steps: a handful of plain statements, for any engine.

Each statement names the ledger as a constant and joins no VALUES, so that a distributed PostgreSQL routes it whole to
the node that has the ledger. Rows are locked in the order of Note [Lock order].
"""

# Note [Lock order]
# Every writer takes its locks in one order, so that two requests never wait for each other: the idempotency key,
# transactions to reverse by id, holds by id, currencies by code, the ledger where something is late, transactions by
# reference, balances by account id and currency with the period totals below them, and last, by its foreign key, the
# account of a balance that is new. Other rows read on the way (accounts, the ledger) are not locked. A replay, which
# records one thing after the other, takes all of it beforehand: taking.py.

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from myapp.ledger import currencies, idempotency
from myapp.ledger.model import AccountType
from myapp.ledger.recording import indexing, limits, moving, parties, refusals, rows
from myapp.ledger.recording.request import Key, Place, Request


def record(session: Session, request: Request) -> Sequence[Place] | None:
    """Record the request and return where each slot's postings went, or None where its idempotency key is in use.

    Raises:
        Refusal: see docs/ledger.md, "Refusals".
    """
    claim = request.claim
    if claim is not None and not idempotency.take_for_transactions(
        session, request.ledger.id, claim, request.ids, now=request.now
    ):
        return None
    currencies.use(session, request.ledger.id, request.first_used)
    return write(session, request, moving.add)


def write(session: Session, request: Request, move: moving.Move) -> Sequence[Place]:
    """Write a request whose key and holds are taken, and return where each slot's postings went.

    Raises:
        Refusal: see docs/ledger.md, "Refusals".
    """
    found = parties.read(session, request)
    parties.check(request, found)
    if not rows.insert_transactions(session, request):
        raise refusals.duplicate(session, request) or refusals.gone()
    accounts = [found.accounts[slot.path] for slot in request.plan.slots]
    keys = [Key(account.id, slot.currency) for account, slot in zip(accounts, request.plan.slots, strict=True)]
    moved = move(session, request, keys)
    parties.check_again(session, request, [moved.get(key) for key in keys])
    if len(moved) < len(keys):
        raise refusals.overflow(session, request, keys, moved.keys()) or refusals.gone()
    places = [Place(AccountType(account.type), moved[key]) for account, key in zip(accounts, keys, strict=True)]
    limits.check_conditions(request, places)
    limits.check(request, places)
    rows.insert_lines(session, request, places)
    indexing.write(session, request)
    return places
