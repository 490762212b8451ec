"""A journal's postings as a ledger's: debits and credits above zero that balance in every currency.

A lot at cost or a conversion balances in Beancount by its weight, but not in each of its currencies. What is left over
goes through one trading account per currency, `equity:trading:<CODE>`: its balance is the position taken against the
other currencies. What a journal leaves unbalanced within Beancount's tolerance, or rounding adds, goes there as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from beancount.core import data

from myapp.ledger import model
from myapp.scripts.importing import decimals, digits, reading
from myapp.scripts.importing.plan import TRADING_PREFIX, Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The postings to record, and which of them the journal wrote, by line."""

    postings: Sequence[model.NewPosting]
    written: Sequence[tuple[int, data.Posting]]
    zeros: int


class Converter:
    """Converts the transactions of one journal, and keeps what it rounded and what it must not round.

    Shape: `paths` and `codes` are the ledger's by the journal's names; a code that is missing is the same in both.
    Sums are exact if the caller's decimal context is.
    """

    def __init__(
        self,
        exponents: Mapping[str, int],
        paths: Mapping[str, str],
        *,
        codes: Mapping[str, str] | None = None,
        may_round: bool,
    ) -> None:
        self._exponents = exponents
        self._codes = codes or {}
        self._paths = paths
        self._may_round = may_round
        self.rounded: list[Note] = []
        self.too_fine: list[Note] = []

    def convert(self, entry: data.Transaction) -> Lines:
        """Return the lines of a transaction without its amounts of zero."""
        postings: list[model.NewPosting] = []
        written: list[tuple[int, data.Posting]] = []
        left_over: dict[str, Decimal] = defaultdict(Decimal)
        for posting in entry.postings:
            number, code = self._fit(entry, posting)
            left_over[code] += number
            if number:
                written.append((len(postings), posting))
                postings.append(line(self._paths[posting.account], self._codes.get(code, code), number))
        named = {self._codes.get(code, code): number for code, number in left_over.items()}
        zeros = len(entry.postings) - len(postings)
        return Lines(postings=[*postings, *trading(named)], written=written, zeros=zeros)

    def _fit(self, entry: data.Transaction, posting: data.Posting) -> tuple[Decimal, str]:
        """Return the amount with the digits of its currency; what an author wrote is rounded only if allowed."""
        number, code = reading.amount_of(posting.units)
        fitted = decimals.rounded(number, self._exponents[code])
        if fitted != number:
            place = reading.place_of(posting.meta or entry.meta)
            if self._may_round or digits.is_computed(entry, posting):
                self.rounded.append(Note(place=place, text=f"{number} {code} is recorded as {fitted:f}"))
            else:
                text = f"{number} {code} has more than the {self._exponents[code]} decimal digits of {code}; "
                self.too_fine.append(Note(place=place, text=f"{text}--round records {fitted:f}"))
        return fitted, code


def trading(left_over: Mapping[str, Decimal]) -> Iterator[model.NewPosting]:
    """Yield what a transaction leaves over by currency, against the trading accounts."""
    for code, number in left_over.items():
        if number:
            yield line(f"{TRADING_PREFIX}{code}", code, -number)


def line(path: str, code: str, number: Decimal) -> model.NewPosting:
    """Return a posting of a signed amount that is not zero."""
    side = model.Side.DEBIT if number > 0 else model.Side.CREDIT
    return model.NewPosting(account=path, currency=code, side=side, amount=number.copy_abs())
