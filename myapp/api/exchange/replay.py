"""Record again what happened in another ledger: the way back of an export."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import idempotency, respond, schemas, security, transactions
from myapp.api.exchange import deeds
from myapp.api.holds.views import POST_REFUSALS
from myapp.api.request import Request
from myapp.ledger import replaying


@view_config(
    route_name="replay",
    request_method="POST",
    permission=security.ADMIN,
    body=deeds.Deeds,
    headers=("Idempotency-Key",),
    answers={201: schemas.BatchIds},
    refusals=tuple(dict.fromkeys((*transactions.REFUSALS, *POST_REFUSALS, "not-posted", "already-reversed"))),
)
def replay(request: Request[deeds.Deeds, schemas.NoQuery]) -> Response:
    """Replay a ledger's log.

    Up to 10,000 transactions, posts of holds, releases of holds and reversals, all of them or none, as they happened in
    another ledger: a hold may have expired, and be posted or given back all the same. What one belongs to is named by
    the id that it has in this ledger, or by that of one earlier in the request. The answer has their ids here; a
    refusal names the first that failed in `index`.
    """
    wanted = request.wanted.deeds

    def record() -> bytes:
        made = replaying.replay(
            request.dbsession,
            request.ledger,
            [deeds.happened(each) for each in wanted],
            now=request.now,
            form=request.registry["myapp.recording"],
        )
        items = [
            schemas.BatchItem(id=new_id, reference=each.reference) for new_id, each in zip(made, wanted, strict=True)
        ]
        return respond.encode(schemas.BatchIds(items=items))

    location = respond.address("ledgers", request.ledger.name, "transactions")
    return idempotency.once(request, request.ledger.id, record, location=location)
