"""Judge the limits of the balances a request has moved, which it holds locked. Pure.

A balance row has its limits as bounds of its net (debits less credits), so "too low" for a debit-normal account is
"too high" of the net of a credit-normal one. What pending postings could still take counts as taken, on either side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from myapp.ledger import errors
from myapp.ledger.model import AccountType, Side
from myapp.ledger.plan import Line
from myapp.ledger.recording.request import Balance, Place, Request


def check(request: Request, places: Sequence[Place]) -> None:
    """Check each balance against its limits at the end of every transaction; `places` has one for each slot.

    Raises:
        InsufficientFunds, LimitExceeded: the first transaction that goes too far, too low said before too high.
    """
    for slot, place in zip(request.plan.slots, places, strict=True):
        before = net(place.balance) - slot.net
        if is_below(place.balance, before + slot.low) or is_above(place.balance, before + slot.high):
            raise _find_first(request, places)


def net(balance: Balance) -> int:
    return balance.debits_posted - balance.credits_posted


def is_below(balance: Balance, net: int) -> bool:
    return balance.net_min is not None and net - balance.credits_pending < balance.net_min


def is_above(balance: Balance, net: int) -> bool:
    return balance.net_max is not None and net + balance.debits_pending > balance.net_max


def refuse(account_type: AccountType, balance: Balance, net: int, path: str) -> errors.Refusal | None:
    """Return the refusal of a balance with this net; None where it is within its limits."""
    low, high = is_below(balance, net), is_above(balance, net)
    if account_type.normal_side is Side.CREDIT:
        low, high = high, low
    if low:
        return errors.InsufficientFunds(f"{path} would fall below its minimum in {balance.currency}.")
    if high:
        return errors.LimitExceeded(f"{path} would rise above its maximum in {balance.currency}.")
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
        end = last[line.slot]
        net_then = net(place.balance) - slot.net + end.debits - end.credits
        refused = refuse(place.account_type, place.balance, net_then, slot.path)
        if refused is not None:
            found.append(refused.at(line.transaction, line.line))
    return min(found, key=lambda refused: isinstance(refused, errors.LimitExceeded), default=None)
