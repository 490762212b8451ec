"""A transaction's amounts as a ledger's lines, exact, and how many digits each commodity needs.

What is paid at a cost balances by its cost alone: what is over in a commodity goes through its trading account, as in
`lines`. A transaction that does not balance at its costs was not printed by hledger, and is refused.
"""

from __future__ import annotations

import decimal
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from myapp.api.exchange import hledger as exported
from myapp.api.exchange import notes
from myapp.ledger import currencies, model
from myapp.scripts.importing import decimals, digits, lines
from myapp.scripts.importing.hledger import printed, tags
from myapp.scripts.importing.plan import JournalError, Note, PlannedCurrency

# Its JSON keeps ten decimal places, so that sums of what it cut are off by a few of the last.
CHECKED_PLACES_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One amount of one posting that is not zero."""

    posting: printed.Posting
    amount: printed.Amount
    number: Decimal


def written(transaction: printed.Transaction) -> Iterator[Written]:
    """Yield the amounts; a posting has several where hledger left one out of several commodities.

    Raises:
        ValueError: what an export of our own noted is no number, or another.
    """
    for posting in transaction.tpostings:
        for amount in posting.pamount:
            number = _number(posting, amount)
            if number:
                yield Written(posting=posting, amount=amount, number=number)


def planned(transactions: Sequence[printed.Transaction], chosen: Mapping[str, int]) -> Sequence[PlannedCurrency]:
    """Return the commodities that are posted, with the digits of their style, their longest amount or as chosen.

    Raises:
        JournalError: one needs more digits than a ledger can hold, or a commodity has no name.
    """
    longest: digits.Longest = {}
    problems: list[Note] = []
    for transaction in transactions:
        for each in written(transaction):
            code = each.amount.acommodity
            found = max(decimals.fraction_digits(each.number), each.amount.astyle.asprecision or 0)
            if code not in longest or found > longest[code][0]:
                longest[code] = (found, transaction.place)
            if not code:
                problems.append(Note(place=transaction.place, text=f"{each.number:f} has no commodity"))
    exponents = {**{code: count for code, (count, _) in longest.items()}, **chosen, **currencies.iso_exponents()}
    for code, (_, place) in longest.items():
        if exponents[code] > digits.DIGITS_MAX:
            text = f"{code} would need {exponents[code]} decimal digits; a ledger has {digits.DIGITS_MAX} at most"
            problems.append(Note(place=place, text=text))
    if problems:
        raise JournalError(problems)
    return [
        PlannedCurrency(currency=model.Currency(code=code, exponent=exponents[code]), place=place)
        for code, (_, place) in sorted(longest.items())
    ]


def unbalanced(amounts: Sequence[Written]) -> Mapping[str, Decimal]:
    """Return what the amounts come to at their costs, by commodity, beyond what rounding explains."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    places: dict[str, int] = {}
    for each in amounts:
        number, amount = each.number, each.amount
        if amount.cost is not None:
            of = amount.cost.contents.aquantity.number
            number = of.copy_abs().copy_sign(number) if amount.cost.is_total else number * of
            amount = amount.cost.contents
        sums[amount.acommodity] += number
        found = min(amount.astyle.asprecision or 0, CHECKED_PLACES_MAX)
        places[amount.acommodity] = min(found, places.get(amount.acommodity, found))
    return {code: number for code, number in sums.items() if abs(number) * 2 > Decimal(1).scaleb(-places[code])}


def _number(posting: printed.Posting, amount: printed.Amount) -> Decimal:
    number = amount.aquantity.number
    told = dict(tags.of_posting(posting)).get(notes.AMOUNT)
    if told is None:
        return number
    try:
        finer = Decimal(told)
    except decimal.InvalidOperation as exc:
        raise ValueError(f"{notes.AMOUNT} is no number: {told}") from exc
    half = Decimal(1).scaleb(-exported.JSON_PLACES)
    if not finer.is_finite() or len(finer.as_tuple().digits) > printed.DIGITS_MAX or abs(finer - number) > half:
        raise ValueError(f"{notes.AMOUNT} says {told}, and the posting {number:f}")
    return finer


class Converter:
    """Converts amounts, and keeps what it rounded and what it must not round."""

    def __init__(self, exponents: Mapping[str, int], paths: Mapping[str, str], *, may_round: bool) -> None:
        self._exponents = exponents
        self._paths = paths
        self._may_round = may_round
        self.rounded: list[Note] = []
        self.too_fine: list[Note] = []

    def convert(
        self, transaction: printed.Transaction, amounts: Sequence[Written]
    ) -> tuple[Sequence[model.NewPosting], Sequence[tuple[int, Written]]]:
        """Return the lines to record, and which amount of the journal's each is of."""
        postings: list[model.NewPosting] = []
        of_lines: list[tuple[int, Written]] = []
        left_over: dict[str, Decimal] = defaultdict(Decimal)
        for each in amounts:
            number, code = self._fit(transaction, each), each.amount.acommodity
            left_over[code] += number
            if number:
                of_lines.append((len(postings), each))
                postings.append(lines.line(self._paths[each.posting.paccount], code, number))
        return [*postings, *lines.trading(left_over)], of_lines

    def _fit(self, transaction: printed.Transaction, each: Written) -> Decimal:
        code = each.amount.acommodity
        fitted = decimals.rounded(each.number, self._exponents[code])
        if fitted != each.number:
            text = f"{each.number:f} {code} "
            if self._may_round:
                self.rounded.append(Note(place=transaction.place, text=f"{text}is recorded as {fitted:f}"))
            else:
                text += f"has more than the {self._exponents[code]} decimal digits of {code}; --round records"
                self.too_fine.append(Note(place=transaction.place, text=f"{text} {fitted:f}"))
        elif _may_be_cut(each):
            text = f"{fitted:f} {code} may be rounded: hledger prints {exported.JSON_PLACES} decimal places as JSON"
            self.rounded.append(Note(place=transaction.place, text=text))
        return fitted


def _may_be_cut(each: Written) -> bool:
    places = each.amount.aquantity.decimal_places
    is_told = any(name == notes.AMOUNT for name, _ in each.posting.ptags)
    return places == exported.JSON_PLACES < (each.amount.astyle.asprecision or 0) and not is_told
