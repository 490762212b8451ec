"""Post holds, wholly or in part: what was pending becomes posted, by a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger import currencies, errors, idempotency, ids, plan
from myapp.ledger.currencies import Exponents
from myapp.ledger.holding import locking
from myapp.ledger.holding.locking import HeldLine, Hold
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import BATCH_MAX, POSTINGS_MAX, Effect, HoldPost, Ledger, NewPosting, Side, Status, Transaction
from myapp.ledger.recording import moving, outcome, steps
from myapp.ledger.recording.request import Entry, Request


def post(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[HoldPost],
    *,
    now: datetime,
    claim: Claim | None,
    judges_expiry: bool = True,
) -> Sequence[Transaction] | None:
    """Post holds, all or none, and return the transactions that do; None where the claim's key is in use.

    Without `judges_expiry` also those that have expired by `now`.
    Raises:
        InvalidTransaction: no or too many holds or postings, or an amount that is not above zero.
        UnknownHold, NotPending: one of them is not there, or is no hold that is pending.
        UnknownCurrency, AmountPrecision, AmountOutOfRange, ExceedsHold: the first line that cannot be taken.
        UnbalancedTransaction: the first part whose debits and credits differ in a currency.
        AccountClosed, PeriodLocked, DuplicateReference: as recording a transaction.
    """
    _check_shape(wanted)
    new_ids = ids.new_ids(now, len(wanted))
    if claim is not None and not idempotency.take_for_transactions(session, ledger.id, claim, new_ids, now=now):
        return None
    codes = {posting.currency for each in wanted for posting in each.postings or ()}
    exponents = currencies.read(session, ledger.id, codes) if codes else Exponents(of={}, first_used={})
    held = locking.lock(session, ledger, [each.hold_id for each in wanted], now=now, judges_expiry=judges_expiry)
    draft = plan.Draft()
    for index, each in enumerate(wanted):
        _draw(draft, index, each, held[each.hold_id], exponents)
    entries = [
        _entry(each, held[each.hold_id], id=new_id, now=now) for each, new_id in zip(wanted, new_ids, strict=True)
    ]
    request = Request(ledger=ledger, entries=entries, plan=draft.finish(), now=now)
    places = steps.write(session, request, moving.shift)
    locking.write_back(session, ledger, held.values())
    return outcome.transactions(request, places)


def _check_shape(wanted: Sequence[HoldPost]) -> None:
    if not 1 <= len(wanted) <= BATCH_MAX:
        raise errors.InvalidTransaction(f"A request posts 1 to {BATCH_MAX} holds, not {len(wanted)}.")
    for index, each in enumerate(wanted):
        if each.postings is None:
            continue
        if not 2 <= len(each.postings) <= POSTINGS_MAX:
            detail = f"A part of a hold has 2 to {POSTINGS_MAX} postings, not {len(each.postings)}."
            raise errors.InvalidTransaction(detail, index=index)
        for line, posting in enumerate(each.postings):
            plan.check_amount(posting, index=index, line=line)


def _draw(draft: plan.Draft, index: int, wanted: HoldPost, hold: Hold, exponents: Exponents) -> None:
    """Add to the draft what is posted of a hold and what it gives back, and take both from what remains of it."""
    if hold.is_used_up():
        raise errors.NotPending(f"The hold {hold.id} is posted already, earlier in the request.", index=index)
    if wanted.postings is None:
        count = _take(draft, index, hold, Effect.TAKEN, first=0)
    else:
        count = _take_part(draft, index, wanted.postings, hold, exponents)
    if wanted.final:
        _take(draft, index, hold, Effect.RELEASED, first=count)
    draft.end_transaction()
    hold.posts += 1
    if hold.is_used_up():
        hold.state = Status.POSTED


def _take(draft: plan.Draft, index: int, hold: Hold, effect: Effect, *, first: int) -> int:
    """Take all that remains, in lines from `first` on, and return the line after."""
    for held in hold.lines:
        if held.remaining:
            draft.add(index, first, (held.path, held.currency), held.side, held.remaining, effect)
            held.remaining = 0
            first += 1
    return first


def _take_part(draft: plan.Draft, index: int, postings: Sequence[NewPosting], hold: Hold, exponents: Exponents) -> int:
    nets: dict[str, int] = {}
    for line, posting, amount in plan.amounts(index, postings, exponents.of):
        _take_amount(hold, posting, amount, index=index, line=line)
        draft.add(index, line, (posting.account, posting.currency), posting.side, amount, Effect.TAKEN)
        signed = amount if posting.side is Side.DEBIT else -amount
        nets[posting.currency] = nets.get(posting.currency, 0) + signed
    unbalanced = plan.find_unbalanced(index, nets, exponents.of)
    if unbalanced is not None:
        raise unbalanced
    return len(postings)


def _take_amount(hold: Hold, posting: NewPosting, amount: int, *, index: int, line: int) -> None:
    """Take an amount from what remains on the posting's account and side, the first lines first."""
    for held in hold.lines:
        if _is_of(held, posting):
            taken = min(amount, held.remaining)
            held.remaining -= taken
            amount -= taken
    if amount:
        detail = f"The hold has less left of {posting.account} in {posting.currency}, as a {posting.side}."
        raise errors.ExceedsHold(detail, index=index, line=line)


def _is_of(held: HeldLine, posting: NewPosting) -> bool:
    return (held.path, held.currency, held.side) == (posting.account, posting.currency, posting.side)


def _entry(wanted: HoldPost, hold: Hold, *, id: UUID, now: datetime) -> Entry:  # noqa: A002
    return Entry(
        id=id,
        effective_at=wanted.effective_at or now,
        reference=wanted.reference,
        description=hold.description if wanted.description is None else wanted.description,
        metadata=wanted.metadata,
        pending_of=hold.id,
    )
