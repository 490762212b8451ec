"""Verification: the ledger's invariants, each with the figures compared."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, respond, schemas, security
from myapp.api.request import Request
from myapp.ledger import verify


# One snapshot for all checks, or a transaction recorded between two of them would look like a fault.
@view_config(
    route_name="verify",
    request_method="GET",
    permission=security.READ,
    db={"isolation": "REPEATABLE READ"},
    answers={200: schemas.Verification},
)
def verify_ledger(request: Request[None, schemas.NoQuery]) -> Response:
    """Verify a ledger.

    Each invariant, whether it holds, and the figures compared.
    """
    return respond.answer(respond.encode(answers.verification(verify.verify(request.dbsession, request.ledger))))
