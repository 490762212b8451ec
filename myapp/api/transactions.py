"""Transactions: record one or many, list them, look at one."""

from __future__ import annotations

from collections.abc import Sequence

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import (
    answers,
    cursors,
    expiry,
    idempotency,
    pages,
    parameters,
    respond,
    schemas,
    searching,
    security,
    wishes,
)
from myapp.api.exponents import Exponents
from myapp.api.request import AnyRequest, Request
from myapp.ledger import model, operations, queries
from myapp.ledger.idempotency import Claim

REFUSALS = (
    "unknown-currency",
    "amount-precision",
    "amount-out-of-range",
    "unbalanced-transaction",
    "unknown-account",
    "account-closed",
    "currency-not-allowed",
    "period-locked",
    "duplicate-reference",
    "condition-failed",
    "insufficient-funds",
    "limit-exceeded",
)

PREFER_WHOLE = "return=representation"


@view_config(
    route_name="transactions",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.NewTransaction,
    query=schemas.RecordQuery,
    headers=("Idempotency-Key",),
    answers={201: schemas.Transaction, 200: schemas.Transaction},
    refusals=REFUSALS,
)
def record_transaction(request: Request[schemas.NewTransaction, schemas.RecordQuery]) -> Response:
    """Record a transaction.

    With `pending` it is a hold. The answer has the balances right after it. With `dry_run` everything is checked and
    answered with 200, and nothing is recorded; an Idempotency-Key means nothing then.
    """
    recorded = _record(request, [request.wanted], claim=idempotency.claim(request))
    if request.asked.dry_run:
        return respond.answer(_encode(request, recorded.transactions[0]))
    transaction = recorded.transactions[0]
    location = respond.address("ledgers", request.ledger.name, "transactions", str(transaction.id))
    return respond.created(request, _encode(request, transaction), location=location, replayed=recorded.replayed)


@view_config(
    route_name="batch",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.NewBatch,
    query=schemas.RecordQuery,
    headers=("Idempotency-Key", "Prefer"),
    answers={
        201: (schemas.BatchIds, schemas.BatchTransactions),
        200: (schemas.BatchIds, schemas.BatchTransactions),
    },
    refusals=REFUSALS,
)
def record_batch(request: Request[schemas.NewBatch, schemas.RecordQuery]) -> Response:
    """Record a batch.

    Up to 10,000 transactions in their order, with 100,000 postings together, all of them or none. The answer has their
    ids; with `Prefer: return=representation` the whole transactions. A refusal names the first transaction that failed
    in `index`. With `dry_run` everything is checked and answered with 200, and nothing is recorded.
    """
    whole = PREFER_WHOLE in {wish.strip().lower() for wish in request.headers.get("Prefer", "").split(",")}
    claim = idempotency.claim(request, variant=PREFER_WHOLE if whole else "")
    recorded = _record(request, request.wanted.transactions, claim=claim)
    return _respond_with_batch(request, recorded, whole=whole, status=200 if request.asked.dry_run else 201)


@view_config(
    route_name="transactions",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=searching.TransactionsQuery,
    answers={200: schemas.Listed[schemas.Transaction]},
)
def list_transactions(request: Request[None, searching.TransactionsQuery]) -> Response:
    """List transactions.

    The newest recorded first. Those that meet every parameter; account, subtree, currency and amounts are met by one
    posting together. Where few of very many meet them all, a page may have fewer than `limit`, even none, and go on.
    With `known_at` the list is as it was then, and so is what had become of each: a hold posted since is pending.
    """
    after = cursors.decode(request.asked.after, cursors.TransactionCursor)
    page = queries.search_transactions(
        request.dbsession,
        request.ledger,
        criteria=searching.criteria(request),
        after=None if after is None else after.id,
        limit=request.asked.limit,
        now=request.now,
    )
    exponents = _exponents(request, page.transactions)
    items = [answers.transaction(transaction, exponents) for transaction in page.transactions]
    following = None if page.resume is None else cursors.encode(cursors.TransactionCursor(page.resume))
    return respond.page(request, schemas.Listed(items=items, next=following))


@view_config(
    route_name="transaction",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    answers={200: schemas.Transaction},
)
def get_transaction(request: Request[None, schemas.NoQuery]) -> Response:
    """Look at a transaction.

    A hold shows what remains of it and the transactions that have posted it.
    """
    wanted_id = parameters.transaction_id(request.matchdict["id"])
    found = queries.get_transaction(request.dbsession, request.ledger, wanted_id, now=request.now)
    return respond.answer(_encode(request, found))


def _record(
    request: Request[object, schemas.RecordQuery], of: Sequence[schemas.NewTransaction], *, claim: Claim | None
) -> operations.Recorded:
    wanted = [wishes.transaction(each) for each in of]
    form = request.registry["myapp.recording"]
    if request.asked.dry_run:
        return operations.dry_run(request.dbsession, request.ledger, wanted, now=request.now, form=form)
    exponents: Exponents = request.registry["myapp.exponents"]
    with expiry.considered(request, {posting.account for each in of for posting in each.postings}):
        recorded = operations.record(
            request.dbsession,
            request.ledger,
            wanted,
            now=request.now,
            form=form,
            claim=claim,
            declared=exponents.declared(request.ledger.id),
        )
    exponents.learn_declared(request.ledger.id, recorded.declared)
    return recorded


def _respond_with_batch(request: AnyRequest, of: operations.Recorded, *, whole: bool, status: int) -> Response:
    headers = [("Idempotency-Replayed", "true")] if of.replayed else []
    if not whole:
        return respond.answer(respond.encode(answers.batch_ids(of.transactions)), status=status, headers=headers)
    exponents = _exponents(request, of.transactions)
    items = [answers.transaction(each, exponents) for each in of.transactions]
    body = respond.encode(schemas.BatchTransactions(items=items))
    return respond.answer(body, status=status, headers=[*headers, ("Preference-Applied", PREFER_WHOLE)])


def _encode(request: AnyRequest, transaction: model.Transaction) -> bytes:
    return respond.encode(answers.transaction(transaction, _exponents(request, [transaction])))


def _exponents(request: AnyRequest, transactions: Sequence[model.Transaction]) -> answers.Exponents:
    codes = answers.transaction_currencies(transactions)
    return request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes)  # type: ignore[no-any-return]
