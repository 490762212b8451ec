"""Judge the limits and conditions of the balances a request has moved, which it holds locked. Pure.

A balance row has its limits as bounds of its net (debits less credits), so "too low" for a debit-normal account is
"too high" of the net of a credit-normal one. What pending postings could still take counts as taken, on either side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from myapp.ledger import errors
from myapp.ledger.model import AccountType, Side
from myapp.ledger.plan import Guard, Line, Totals
from myapp.ledger.recording.request import Balance, Place, Request


def check(request: Request, places: Sequence[Place]) -> None:
    """Check each balance against its limits at the end of every transaction; `places` has one for each slot.

    Raises:
        InsufficientFunds, LimitExceeded: the first transaction that goes too far, too low said before too high.
    """
    for slot, place in zip(request.plan.slots, places, strict=True):
        low, high = _reach(place.balance)
        if _is_below(place.balance, low - slot.total.low + slot.low):
            raise _find_first(request, places)
        if _is_above(place.balance, high - slot.total.high + slot.high):
            raise _find_first(request, places)


def check_conditions(request: Request, places: Sequence[Place]) -> None:
    """Check what lines ask of their accounts as they were before the line's transaction.

    Raises:
        ConditionFailed: the first line whose account is otherwise.
    """
    for guard in request.plan.guards:
        slot, place = request.plan.slots[guard.slot], places[guard.slot]
        detail = _find_failed(guard, place, slot.total)
        if detail is not None:
            detail = f"{slot.path} {detail} in {slot.currency}; read it again and decide anew."
            raise errors.ConditionFailed(detail, index=guard.transaction, line=guard.line)


def refuse(account_type: AccountType, balance: Balance, path: str) -> errors.Refusal | None:
    """Return the refusal of a balance; None where it is within its limits."""
    return _refuse(account_type, balance, *_reach(balance), path)


def _refuse(account_type: AccountType, balance: Balance, low: int, high: int, path: str) -> errors.Refusal | None:
    is_low, is_high = _is_below(balance, low), _is_above(balance, high)
    if account_type.normal_side is Side.CREDIT:
        is_low, is_high = is_high, is_low
    if is_low:
        return errors.InsufficientFunds(f"{path} would fall below its minimum in {balance.currency}.", account=path)
    if is_high:
        return errors.LimitExceeded(f"{path} would rise above its maximum in {balance.currency}.", account=path)
    return None


def _reach(balance: Balance) -> tuple[int, int]:
    net = balance.debits_posted - balance.credits_posted
    return net - balance.credits_pending, net + balance.debits_pending


def _is_below(balance: Balance, low: int) -> bool:
    return balance.net_min is not None and low < balance.net_min


def _is_above(balance: Balance, high: int) -> bool:
    return balance.net_max is not None and high > balance.net_max


def _find_failed(guard: Guard, place: Place, whole: Totals) -> str | None:
    """Say how the account is not as the condition asks."""
    version = place.balance.version - whole.lines + guard.before.lines
    if guard.version not in (None, version):
        return f"has version {version}, not {guard.version}"
    low, high = _reach(place.balance)
    if place.account_type.normal_side is Side.DEBIT:
        available = low - whole.low + guard.before.low
    else:
        available = -(high - whole.high + guard.before.high)
    if guard.min_available is not None and available < guard.min_available:
        return "has less available than the condition asks"
    return None


def _find_first(request: Request, places: Sequence[Place]) -> errors.Refusal:
    for _, lines in itertools.groupby(request.plan.lines, key=lambda line: line.transaction):
        refused = _refuse_transaction(request, places, list(lines))
        if refused is not None:
            return refused
    raise AssertionError("A balance was outside its limits after no transaction.")


def _refuse_transaction(request: Request, places: Sequence[Place], lines: Sequence[Line]) -> errors.Refusal | None:
    last = {line.slot: line for line in lines}
    found = []
    for line in lines:
        slot, place = request.plan.slots[line.slot], places[line.slot]
        end = last[line.slot].total
        low, high = _reach(place.balance)
        low_then, high_then = low - slot.total.low + end.low, high - slot.total.high + end.high
        refused = _refuse(place.account_type, place.balance, low_then, high_then, slot.path)
        if refused is not None:
            found.append(refused.at(line.transaction, line.line))
    return min(found, key=lambda refused: isinstance(refused, errors.LimitExceeded), default=None)
