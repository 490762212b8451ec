"""Say what was recorded, from the request and the balances after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from myapp.ledger.model import Counters, Posting, Status, Transaction
from myapp.ledger.plan import Line
from myapp.ledger.recording.request import Place, Request, after


def transactions(request: Request, places: Sequence[Place]) -> Sequence[Transaction]:
    """Return what was recorded; `places` has one for each slot."""
    postings: list[list[Posting]] = [[] for _ in request.wanted]
    for line in request.plan.lines:
        postings[line.transaction].append(_posting(request, line, places[line.slot]))
    return [
        Transaction(
            id=request.ids[index],
            reference=wanted.reference,
            status=Status.POSTED,
            description=wanted.description,
            effective_at=request.effective[index],
            recorded_at=request.now,
            metadata=wanted.metadata,
            postings=postings[index],
        )
        for index, wanted in enumerate(request.wanted)
    ]


def _posting(request: Request, line: Line, place: Place) -> Posting:
    slot, balance = request.plan.slots[line.slot], place.balance
    then = after(request, line, balance)
    return Posting(
        line=line.line,
        account=slot.path,
        account_type=place.account_type,
        currency=slot.currency,
        side=line.side,
        amount_minor=line.amount,
        counters=Counters(
            debits_posted=then.debits_posted,
            credits_posted=then.credits_posted,
            debits_pending=balance.debits_pending,
            credits_pending=balance.credits_pending,
        ),
        balance_version=then.version,
    )
