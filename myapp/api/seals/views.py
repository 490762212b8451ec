"""Seals: list them, and prove that a transaction is in one."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import cursors, pages, parameters, respond, security
from myapp.api.request import Request
from myapp.api.schemas import Listed, NoQuery, Page
from myapp.api.seals import answers, schemas
from myapp.ledger import queries


@view_config(
    route_name="seals",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=Page,
    answers={200: Listed[schemas.Seal]},
)
def list_seals(request: Request[None, Page]) -> Response:
    """List seals.

    In the order of their epochs. Each names the hash of the one before, so publishing the newest seals all.
    """
    asked = request.asked
    after = cursors.decode(asked.after, cursors.SealCursor)
    rows = queries.list_seals(
        request.dbsession, request.ledger, after=None if after is None else after.epoch, limit=asked.limit + 1
    )
    return pages.respond_with(
        request, rows, limit=asked.limit, item=answers.seal, cursor=lambda seal: cursors.SealCursor(seal.epoch)
    )


@view_config(
    route_name="proof",
    request_method="GET",
    permission=security.READ,
    answers={200: schemas.Proof},
    refusals=("not-sealed",),
)
def get_proof(request: Request[None, NoQuery]) -> Response:
    """Prove a transaction.

    That it is in a sealed epoch, as it is recorded now; the hash of the seal is what was published.
    """
    wanted_id = parameters.transaction_id(request.matchdict["id"])
    return respond.answer(
        respond.encode(answers.proof(queries.get_proof(request.dbsession, request.ledger, wanted_id)))
    )
