"""Say what was recorded, from the request and the balances after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from myapp.ledger.model import Counters, Effect, Posting, Transaction
from myapp.ledger.plan import Line
from myapp.ledger.recording.request import Place, Request, after


def transactions(request: Request, places: Sequence[Place]) -> Sequence[Transaction]:
    """Return what was recorded; `places` has one for each slot."""
    postings: list[list[Posting]] = [[] for _ in request.entries]
    for line in request.plan.lines:
        postings[line.transaction].append(_posting(request, line, places[line.slot]))
    return [
        Transaction(
            id=entry.id,
            reference=entry.reference,
            status=entry.status,
            description=entry.description,
            effective_at=entry.effective_at,
            recorded_at=request.now,
            metadata=entry.metadata,
            postings=postings[index],
            pending_of=entry.pending_of,
            reverses=entry.reverses,
            expires_at=entry.expires_at,
        )
        for index, entry in enumerate(request.entries)
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
            debits_pending=then.debits_pending,
            credits_pending=then.credits_pending,
        ),
        balance_version=then.version,
        effect=line.effect,
        remaining_minor=line.amount if line.effect is Effect.PENDING else None,
    )
