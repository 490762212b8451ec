"""Ledgers: make one, list them, look at one, change what may change."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, cursors, etags, idempotency, pages, respond, schemas, security, wishes
from myapp.api.request import Request
from myapp.ledger import operations, queries
from myapp.ledger.idempotency import NO_LEDGER


@view_config(
    route_name="ledgers",
    request_method="POST",
    permission=security.ADMIN,
    body=schemas.NewLedger,
    headers=("Idempotency-Key",),
    answers={201: schemas.Ledger},
    refusals=("already-exists",),
)
def create_ledger(request: Request[schemas.NewLedger, schemas.NoQuery]) -> Response:
    """Create a ledger."""
    wanted = request.wanted

    def create() -> bytes:
        made = operations.create_ledger(request.dbsession, wanted.name, metadata=wanted.metadata, now=request.now)
        return respond.encode(answers.ledger(made))

    return idempotency.once(request, NO_LEDGER, create, location=respond.address("ledgers", wanted.name))


@view_config(
    route_name="ledgers",
    request_method="GET",
    permission=security.READ,
    query=schemas.Page,
    answers={200: schemas.Listed[schemas.Ledger]},
)
def list_ledgers(request: Request[None, schemas.Page]) -> Response:
    """List ledgers.

    By name; those that the key may read.
    """
    asked = request.asked
    after = cursors.decode(asked.after, cursors.LedgerCursor)
    rows = queries.list_ledgers(
        request.dbsession,
        after=None if after is None else after.name,
        limit=asked.limit + 1,
        only=request.caller.ledger_id,
    )
    return pages.respond_with(
        request, rows, limit=asked.limit, item=answers.ledger, cursor=lambda ledger: cursors.LedgerCursor(ledger.name)
    )


@view_config(
    route_name="ledger",
    request_method="GET",
    permission=security.READ,
    headers=("If-None-Match",),
    answers={200: schemas.Ledger, 304: None},
)
def get_ledger(request: Request[None, schemas.NoQuery]) -> Response:
    """Look at a ledger."""
    found = queries.get_ledger(request.dbsession, request.ledger.name)
    return respond.versioned(request, answers.ledger(found), version=found.version)


@view_config(
    route_name="ledger",
    request_method="PATCH",
    permission=security.WRITE,
    body=schemas.LedgerChange,
    headers=("If-Match",),
    answers={200: schemas.Ledger},
    refusals=("precondition-failed",),
)
def change_ledger(request: Request[schemas.LedgerChange, schemas.NoQuery]) -> Response:
    """Change a ledger.

    Its metadata, or the start of its open period: nothing that counts before `locked_before` is recorded any more. With
    `If-Match`, only if nobody changed it since.
    """
    changed = operations.change_ledger(
        request.dbsession,
        request.ledger,
        wishes.ledger_change(request.wanted),
        expected_version=etags.expected_version(request.headers.get("If-Match")),
        now=request.now,
    )
    return respond.versioned(request, answers.ledger(changed), version=changed.version)
