"""Holds: post or void one, or a group of them; and reverse what is posted."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, expiry, idempotency, parameters, respond, schemas, security, wishes
from myapp.api.holds import schemas as holds_schemas
from myapp.api.request import AnyRequest, Request
from myapp.ledger import model, operations

FOLLOWING_REFUSALS = ("account-closed", "period-locked", "duplicate-reference")
POST_REFUSALS = (
    "not-pending",
    "exceeds-hold",
    "unknown-currency",
    "amount-precision",
    "amount-out-of-range",
    "unbalanced-transaction",
    *FOLLOWING_REFUSALS,
)


@view_config(
    route_name="post_hold",
    request_method="POST",
    permission=security.WRITE,
    body=holds_schemas.HoldPost,
    headers=("Idempotency-Key",),
    answers={201: schemas.Transaction},
    refusals=POST_REFUSALS,
)
def post_hold(request: Request[holds_schemas.HoldPost, schemas.NoQuery]) -> Response:
    """Post a hold.

    All that remains of it, or the part that `postings` names; as often as something remains. With `final` the rest is
    given back. The answer is the transaction that posts it, with the hold in `pending_of`.
    """
    wanted = [wishes.hold_post(_id(request), request.wanted)]
    posted = operations.post_holds(
        request.dbsession, request.ledger, wanted, now=request.now, claim=idempotency.claim(request)
    )
    return _created(request, posted)


@view_config(
    route_name="void_hold",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.Nothing,
    headers=("Idempotency-Key",),
    answers={200: schemas.Transaction},
    refusals=("not-pending", "period-locked"),
)
def void_hold(request: Request[schemas.Nothing, schemas.NoQuery]) -> Response:
    """Void a hold.

    What it reserves is given back; what was posted of it stays posted. The answer is the hold.
    """
    voided = operations.void_holds(
        request.dbsession, request.ledger, [_id(request)], now=request.now, claim=idempotency.claim(request)
    )
    body = respond.encode(answers.transaction(voided.transactions[0], _exponents(request, voided.transactions)))
    return respond.answer(body, headers=_replayed(voided))


@view_config(
    route_name="reverse",
    request_method="POST",
    permission=security.WRITE,
    body=holds_schemas.Remark,
    headers=("Idempotency-Key",),
    answers={201: schemas.Transaction},
    refusals=(
        "not-posted",
        "already-reversed",
        "amount-out-of-range",
        *FOLLOWING_REFUSALS,
        "insufficient-funds",
        "limit-exceeded",
    ),
)
def reverse_transaction(request: Request[holds_schemas.Remark, schemas.NoQuery]) -> Response:
    """Reverse a transaction.

    Once, by another with its sides swapped, which counts from now unless it says otherwise. Of a hold all that was
    posted is reversed.
    """
    wanted = wishes.reversal(_id(request), request.wanted)
    claim = idempotency.claim(request)
    with expiry.considered(request):
        reversal = operations.reverse(request.dbsession, request.ledger, wanted, now=request.now, claim=claim)
    return _created(request, reversal)


@view_config(
    route_name="post_holds",
    request_method="POST",
    permission=security.WRITE,
    body=holds_schemas.HoldsPost,
    headers=("Idempotency-Key",),
    answers={201: schemas.BatchTransactions},
    refusals=POST_REFUSALS,
)
def post_holds(request: Request[holds_schemas.HoldsPost, schemas.NoQuery]) -> Response:
    """Post a group of holds.

    All of them or none, in their order. The answer has the transactions that post them; a refusal names the first hold
    that failed in `index`.
    """
    wanted = [wishes.hold_post(each.id, each) for each in request.wanted.holds]
    posted = operations.post_holds(
        request.dbsession, request.ledger, wanted, now=request.now, claim=idempotency.claim(request)
    )
    return _respond_with_all(request, posted, status=201)


@view_config(
    route_name="void_holds",
    request_method="POST",
    permission=security.WRITE,
    body=holds_schemas.HoldsVoid,
    headers=("Idempotency-Key",),
    answers={200: schemas.BatchTransactions},
    refusals=("not-pending", "period-locked"),
)
def void_holds(request: Request[holds_schemas.HoldsVoid, schemas.NoQuery]) -> Response:
    """Void a group of holds.

    All of them or none. The answer has the holds; a refusal names the first that failed in `index`.
    """
    voided = operations.void_holds(
        request.dbsession, request.ledger, request.wanted.holds, now=request.now, claim=idempotency.claim(request)
    )
    return _respond_with_all(request, voided, status=200)


def _id(request: AnyRequest) -> UUID:
    return parameters.transaction_id(request.matchdict["id"])


def _created(request: AnyRequest, of: operations.Recorded) -> Response:
    made = of.transactions[0]
    location = respond.address("ledgers", request.ledger.name, "transactions", str(made.id))
    body = respond.encode(answers.transaction(made, _exponents(request, of.transactions)))
    return respond.created(request, body, location=location, replayed=of.replayed)


def _respond_with_all(request: AnyRequest, of: operations.Recorded, *, status: int) -> Response:
    exponents = _exponents(request, of.transactions)
    items = [answers.transaction(each, exponents) for each in of.transactions]
    body = respond.encode(schemas.BatchTransactions(items=items))
    return respond.answer(body, status=status, headers=_replayed(of))


def _replayed(of: operations.Recorded) -> respond.Headers:
    return [("Idempotency-Replayed", "true")] if of.replayed else []


def _exponents(request: AnyRequest, transactions: Sequence[model.Transaction]) -> answers.Exponents:
    codes = answers.transaction_currencies(transactions)
    return request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes)  # type: ignore[no-any-return]
