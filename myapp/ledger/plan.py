"""Work out what a request would do to each balance, before any is touched. Pure.

A slot is one account path and currency of the request. Its totals are what the whole request adds to the four counters
of that balance; a line's are what the request has added to its slot up to and including that line, so that the balance
right after the line follows from the balance after the request. `low` and `high` are the slot's lowest and highest
reach at the end of a transaction: a batch means the same as its transactions one after the other, and within one
transaction the order of the lines means nothing. The reach of a balance is its net (debits less credits), down to what
would be left if all pending credits were posted, and up to what there would be if all pending debits were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from myapp.ledger import errors, money
from myapp.ledger.model import (
    AMOUNT_MINOR_MAX,
    BATCH_MAX,
    BATCH_POSTINGS_MAX,
    POSTINGS_MAX,
    Condition,
    Effect,
    NewPosting,
    NewTransaction,
    Side,
)


class Totals(NamedTuple):
    """What was added to the four counters of a balance, by so many lines."""

    debits: int = 0
    credits: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    lines: int = 0

    @property
    def low(self) -> int:
        return self.debits - self.credits - self.credits_pending

    @property
    def high(self) -> int:
        return self.debits - self.credits + self.debits_pending

    def plus(self, side: Side, amount: int, effect: Effect) -> Totals:
        posted = amount if effect.is_posted else 0
        pending = amount * effect.pending_sign
        if side is Side.DEBIT:
            return Totals(
                self.debits + posted,
                self.credits,
                self.debits_pending + pending,
                self.credits_pending,
                self.lines + 1,
            )
        return Totals(
            self.debits,
            self.credits + posted,
            self.debits_pending,
            self.credits_pending + pending,
            self.lines + 1,
        )


NOTHING = Totals()


class Line(NamedTuple):
    """One posting of the request; `total` is what its slot has been given with it."""

    transaction: int
    line: int
    slot: int
    side: Side
    amount: int
    effect: Effect
    total: Totals


class Guard(NamedTuple):
    """A condition of a line; `before` is what earlier transactions of the request have added to its slot."""

    transaction: int
    line: int
    slot: int
    version: int | None
    min_available: int | None
    before: Totals


@dataclass(slots=True)
class Slot:
    """What the request adds to one balance; `gives_back` is whether it only releases what was pending."""

    path: str
    currency: str
    total: Totals = NOTHING
    low: int = 2 * AMOUNT_MINOR_MAX
    high: int = -2 * AMOUNT_MINOR_MAX
    gives_back: bool = True
    # As the last transaction that touched it has left it.
    before: Totals = NOTHING

    def end_transaction(self) -> None:
        self.before = self.total
        self.low = min(self.low, self.total.low)
        self.high = max(self.high, self.total.high)


@dataclass(frozen=True, slots=True)
class Plan:
    slots: Sequence[Slot]
    lines: Sequence[Line]
    guards: Sequence[Guard] = ()

    @property
    def fits(self) -> bool:
        """Whether any balance at all could take this much."""
        return all(
            slot.total.debits + slot.total.debits_pending <= AMOUNT_MINOR_MAX
            and slot.total.credits + slot.total.credits_pending <= AMOUNT_MINOR_MAX
            for slot in self.slots
        )

    @property
    def only_posts(self) -> bool:
        """Whether nothing pending and no condition is about it."""
        return not self.guards and all(line.effect is Effect.POSTED for line in self.lines)


@dataclass(slots=True)
class Draft:
    """A plan in the making: lines are added transaction by transaction."""

    slots: list[Slot] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    touched: list[Slot] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, index: int, line: int, at: tuple[str, str], side: Side, amount: int, effect: Effect) -> int:
        """Add a line `at` an account path and currency, and return the place of its slot."""
        place = self.places.setdefault(at, len(self.slots))
        if place == len(self.slots):
            self.slots.append(Slot(*at))
        slot = self.slots[place]
        slot.total = slot.total.plus(side, amount, effect)
        slot.gives_back = slot.gives_back and effect is Effect.RELEASED
        self.lines.append(Line(index, line, place, side, amount, effect, slot.total))
        self.touched.append(slot)
        return place

    def guard(self, index: int, line: int, place: int, condition: Condition, exponent: int) -> None:
        """Add the condition of a line.

        Raises:
            AmountPrecision, AmountOutOfRange: the least that must be available is no amount of the currency.
        """
        least = condition.min_available
        try:
            minor = None if least is None else money.to_minor(least, exponent)
        except errors.Refusal as refusal:
            raise refusal.at(index, line).within("postings", str(line), "if", "min_available") from None
        self.guards.append(Guard(index, line, place, condition.version, minor, self.slots[place].before))

    def end_transaction(self) -> None:
        for slot in self.touched:
            slot.end_transaction()
        self.touched.clear()

    def finish(self) -> Plan:
        return Plan(self.slots, self.lines, self.guards)


def check_shape(wanted: Sequence[NewTransaction]) -> None:
    """Refuse what has no sense whatever the ledger holds.

    Raises:
        InvalidTransaction: no or too many transactions or postings, an amount that is not above zero, or an expiry
            of what is no hold.
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
            check_amount(posting, index=index, line=line)
        if transaction.expires_at is not None and not transaction.pending:
            detail = "Only a hold expires: `expires_at` goes with `pending`."
            raise errors.InvalidTransaction(detail, index=index).within("expires_at")


def check_expiry(wanted: Sequence[NewTransaction], *, now: datetime) -> None:
    """Raises: InvalidTransaction: a hold would have expired already."""
    for index, transaction in enumerate(wanted):
        if transaction.expires_at is not None and transaction.expires_at <= now:
            detail = "The hold would have expired already."
            raise errors.InvalidTransaction(detail, index=index).within("expires_at")


def check_amount(posting: NewPosting, *, index: int, line: int) -> None:
    """Raises: InvalidTransaction."""
    if posting.amount.is_nan() or posting.amount <= 0:
        raise errors.InvalidTransaction("An amount is above zero.", index=index, line=line)


def make(wanted: Sequence[NewTransaction], exponents: Mapping[str, int]) -> Plan:
    """Return the plan of a request whose shape is right.

    Raises:
        UnknownCurrency, AmountPrecision, AmountOutOfRange: the first line at fault.
        UnbalancedTransaction: the first transaction whose debits and credits differ in a currency.
    """
    draft = Draft()
    unbalanced: errors.UnbalancedTransaction | None = None
    for index, transaction in enumerate(wanted):
        effect = Effect.PENDING if transaction.pending else Effect.POSTED
        nets: dict[str, int] = {}
        for line, posting, amount in amounts(index, transaction.postings, exponents):
            place = draft.add(index, line, (posting.account, posting.currency), posting.side, amount, effect)
            if posting.condition is not None:
                draft.guard(index, line, place, posting.condition, exponents[posting.currency])
            signed = amount if posting.side is Side.DEBIT else -amount
            nets[posting.currency] = nets.get(posting.currency, 0) + signed
        draft.end_transaction()
        unbalanced = unbalanced or find_unbalanced(index, nets, exponents)
    if unbalanced is not None:
        raise unbalanced
    return draft.finish()


def amounts(
    index: int, postings: Sequence[NewPosting], exponents: Mapping[str, int]
) -> Iterator[tuple[int, NewPosting, int]]:
    """Yield each posting of a transaction with its line and its amount in the smallest unit.

    Raises:
        UnknownCurrency, AmountPrecision, AmountOutOfRange: the first line at fault.
    """
    for line, posting in enumerate(postings):
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


def find_unbalanced(
    index: int, nets: Mapping[str, int], exponents: Mapping[str, int]
) -> errors.UnbalancedTransaction | None:
    """Return the refusal of a transaction with these debits less credits, by currency."""
    for currency, net in nets.items():
        if net:
            more, less = ("debits", "credits") if net > 0 else ("credits", "debits")
            difference = money.to_text(abs(net), exponents[currency])
            detail = f"The {more} exceed the {less} by {difference} {currency}."
            return errors.UnbalancedTransaction(detail, index=index)
    return None
