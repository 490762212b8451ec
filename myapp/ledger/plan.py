"""Work out what a request would do to each balance, before any is touched. Pure.

A slot is one account path and currency of the request. Its `debits` and `credits` are what the whole request adds to
it; a line's are what the request has added to its slot up to and including that line, so that the balance right after
the line follows from the balance after the request. `low` and `high` are the slot's lowest and highest net (debits
less credits) at the end of a transaction: a batch means the same as its transactions one after the other, and within
one transaction the order of the lines means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from myapp.ledger import errors, money
from myapp.ledger.model import (
    AMOUNT_MINOR_MAX,
    BATCH_MAX,
    BATCH_POSTINGS_MAX,
    POSTINGS_MAX,
    NewPosting,
    NewTransaction,
    Side,
)


class Line(NamedTuple):
    """One posting of the request; `nth` counts the lines of its slot from one."""

    transaction: int
    line: int
    slot: int
    side: Side
    amount: int
    debits: int
    credits: int
    nth: int


@dataclass(slots=True)
class Slot:
    """What the request adds to one balance."""

    path: str
    currency: str
    debits: int = 0
    credits: int = 0
    count: int = 0
    low: int = AMOUNT_MINOR_MAX
    high: int = -AMOUNT_MINOR_MAX

    @property
    def net(self) -> int:
        return self.debits - self.credits

    def end_transaction(self) -> None:
        net = self.debits - self.credits
        self.low = min(self.low, net)
        self.high = max(self.high, net)


@dataclass(frozen=True, slots=True)
class Plan:
    slots: Sequence[Slot]
    lines: Sequence[Line]

    @property
    def fits(self) -> bool:
        """Whether any balance at all could take this much."""
        return all(slot.debits <= AMOUNT_MINOR_MAX and slot.credits <= AMOUNT_MINOR_MAX for slot in self.slots)


@dataclass(slots=True)
class _Draft:
    slots: list[Slot] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, index: int, line: int, posting: NewPosting, amount: int) -> Slot:
        place = self.places.setdefault((posting.account, posting.currency), len(self.slots))
        if place == len(self.slots):
            self.slots.append(Slot(posting.account, posting.currency))
        slot = self.slots[place]
        if posting.side is Side.DEBIT:
            slot.debits += amount
        else:
            slot.credits += amount
        slot.count += 1
        self.lines.append(Line(index, line, place, posting.side, amount, slot.debits, slot.credits, slot.count))
        return slot


def check_shape(wanted: Sequence[NewTransaction]) -> None:
    """Refuse what has no sense whatever the ledger holds.

    Raises:
        InvalidTransaction: no or too many transactions or postings, or an amount that is not above zero.
    """
    if not 1 <= len(wanted) <= BATCH_MAX:
        raise errors.InvalidTransaction(f"A request has 1 to {BATCH_MAX} transactions, not {len(wanted)}.")
    total = 0
    for index, transaction in enumerate(wanted):
        count = len(transaction.postings)
        total += count
        if total > BATCH_POSTINGS_MAX:
            raise errors.InvalidTransaction(f"A request has at most {BATCH_POSTINGS_MAX} postings.", index=index)
        if not 2 <= count <= POSTINGS_MAX:
            detail = f"A transaction has 2 to {POSTINGS_MAX} postings, not {count}."
            raise errors.InvalidTransaction(detail, index=index)
        for line, posting in enumerate(transaction.postings):
            if posting.amount.is_nan() or posting.amount <= 0:
                raise errors.InvalidTransaction("An amount is above zero.", index=index, line=line)


def make(wanted: Sequence[NewTransaction], exponents: Mapping[str, int]) -> Plan:
    """Return the plan of a request whose shape is right.

    Raises:
        UnknownCurrency, AmountPrecision, AmountOutOfRange: the first line at fault.
        UnbalancedTransaction: the first transaction whose debits and credits differ in a currency.
    """
    draft = _Draft()
    unbalanced: errors.UnbalancedTransaction | None = None
    for index, transaction in enumerate(wanted):
        nets: dict[str, int] = {}
        touched = []
        for line, posting, amount in _amounts(index, transaction, exponents):
            touched.append(draft.add(index, line, posting, amount))
            signed = amount if posting.side is Side.DEBIT else -amount
            nets[posting.currency] = nets.get(posting.currency, 0) + signed
        for slot in touched:
            slot.end_transaction()
        unbalanced = unbalanced or _find_unbalanced(index, nets, exponents)
    if unbalanced is not None:
        raise unbalanced
    return Plan(draft.slots, draft.lines)


def _amounts(
    index: int, transaction: NewTransaction, exponents: Mapping[str, int]
) -> Iterator[tuple[int, NewPosting, int]]:
    for line, posting in enumerate(transaction.postings):
        exponent = exponents.get(posting.currency)
        if exponent is None:
            raise unknown_currency(posting.currency, index=index, line=line)
        try:
            yield line, posting, money.to_minor(posting.amount, exponent)
        except errors.Refusal as refusal:
            raise refusal.at(index, line) from None


def unknown_currency(code: str, *, index: int | None = None, line: int | None = None) -> errors.UnknownCurrency:
    detail = f"{code} is neither in ISO 4217 nor declared in this ledger."
    return errors.UnknownCurrency(detail, index=index, line=line)


def _find_unbalanced(
    index: int, nets: Mapping[str, int], exponents: Mapping[str, int]
) -> errors.UnbalancedTransaction | None:
    for currency, net in nets.items():
        if net:
            more, less = ("debits", "credits") if net > 0 else ("credits", "debits")
            difference = money.to_text(abs(net), exponents[currency])
            detail = f"The {more} exceed the {less} by {difference} {currency}."
            return errors.UnbalancedTransaction(detail, index=index)
    return None
