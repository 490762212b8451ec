"""Whether the transactions of an export could have been recorded as their lines say.

What gives back a hold or reverses a transaction is not recorded as its line says, but made anew of what it belongs to:
so the line has to say the same, or something else would be loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from msgspec import UNSET

from myapp.api.exchange import lines
from myapp.ledger.model import Effect, Side, Status

OTHER_SIDE = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}

# What its postings may do, by a transaction's status and by whether it has `pending_of` and `reverses`.
EFFECTS: Mapping[tuple[str, bool, bool], Collection[str]] = {
    (Status.POSTED, False, False): (Effect.POSTED,),
    (Status.POSTED, False, True): (Effect.POSTED,),
    (Status.PENDING, False, False): (Effect.PENDING,),
    (Status.POSTED, True, False): (Effect.TAKEN, Effect.RELEASED),
    (Status.VOIDED, True, False): (Effect.RELEASED,),
    (Status.EXPIRED, True, False): (Effect.RELEASED,),
}


class _Amount(NamedTuple):
    account: str
    currency: str
    side: Side
    amount: Decimal


@dataclass(slots=True)
class _Original:
    """What others belong to: what a hold has left, and what there is to reverse."""

    description: str | None
    left: list[_Amount] = field(default_factory=list)
    posted: list[_Amount] = field(default_factory=list)


def check_form(of: lines.Transaction) -> None:
    """Check what a line says by itself.

    Raises:
        ValueError: no transaction is like that.
    """
    effects = EFFECTS.get((of.status, of.pending_of is not UNSET, of.reverses is not UNSET), ())
    if any(_effect(each) not in effects for each in of.postings) or not effects:
        raise ValueError("its status, its effects and what it belongs to do not go together")
    if of.expires_at is not UNSET and of.status != Status.PENDING:
        raise ValueError("only a hold expires")
    if any((each.debit is UNSET) is (each.credit is UNSET) for each in of.postings):
        raise ValueError("a posting is a debit or a credit")


class Log:
    """Follows transactions in their order; kept are those `referred` to, with amounts as long as some may need them."""

    def __init__(self, referred: Collection[str], reversed_: Collection[str]) -> None:
        self._referred = referred
        self._reversed = reversed_
        self._known: dict[str, _Original] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._known

    def add(self, of: lines.Transaction) -> None:
        """Take in the next one; what it belongs to is there.

        Raises:
            ValueError: it is not what would be recorded.
        """
        if of.pending_of is not UNSET:
            self._end(of, of.pending_of)
        elif of.reverses is not UNSET:
            _require_reverse(of, self._known[of.reverses], of.reverses)
        if of.id in self._referred:
            original = self._known[of.id] = _Original(of.description)
            original.left += _amounts(of, Effect.PENDING)
            if of.id in self._reversed:
                original.posted += _amounts(of, Effect.POSTED, Effect.TAKEN)

    def _end(self, of: lines.Transaction, hold_id: str) -> None:
        """Take from a hold what is posted of it and given back."""
        hold = self._known[hold_id]
        _require_description(of, hold)
        if of.status != Status.POSTED and (
            of.reference is not None or of.metadata or of.description != hold.description
        ):
            raise ValueError("what gives back a hold has the hold's description, no reference and no metadata")
        taken, released = _amounts(of, Effect.TAKEN), _amounts(of, Effect.RELEASED)
        if of.status == Status.POSTED and not taken:
            raise ValueError(f"posts nothing of the hold {hold_id}")
        for each in taken:
            hold.left = _less(hold.left, each)
        if hold_id in self._reversed:
            hold.posted += taken
        if released or of.status != Status.POSTED:
            if released != hold.left:
                raise ValueError(f"gives back something else than the hold {hold_id} has left")
            hold.left = []


def _require_reverse(of: lines.Transaction, original: _Original, original_id: str) -> None:
    _require_description(of, original)
    if _amounts(of, Effect.POSTED) != [each._replace(side=OTHER_SIDE[each.side]) for each in original.posted]:
        raise ValueError(f"is not the reverse of the transaction {original_id}")


def _require_description(of: lines.Transaction, original: _Original) -> None:
    if of.description is None and original.description is not None:
        raise ValueError(f"has no description, and would get that of what it belongs to: {original.description!r}")


def _less(left: Iterable[_Amount], taken: _Amount) -> list[_Amount]:
    """Return what is left once an amount is taken, from the first of its account, currency and side first."""
    rest, amount = [], taken.amount
    for each in left:
        part = min(amount, each.amount) if each[:3] == taken[:3] else Decimal(0)
        amount -= part
        if each.amount > part:
            rest.append(each._replace(amount=each.amount - part))
    return rest


def _amounts(of: lines.Transaction, *effects: Effect) -> Sequence[_Amount]:
    """Return the amounts of those postings; raises ValueError where one is none."""
    return [_amount(each) for each in of.postings if _effect(each) in effects]


def _amount(of: lines.Posting) -> _Amount:
    side, text = (Side.DEBIT, of.debit) if of.debit is not UNSET else (Side.CREDIT, of.credit)
    try:
        amount = Decimal(str(text))
    except ArithmeticError as exc:
        raise ValueError(f"{text} is no amount") from exc
    if not amount.is_finite():
        raise ValueError(f"{text} is no amount")
    return _Amount(of.account, of.currency, side, amount)


def _effect(of: lines.Posting) -> str:
    return Effect.POSTED if of.effect is UNSET else of.effect
