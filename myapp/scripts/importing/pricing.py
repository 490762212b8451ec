"""A journal's prices as a ledger's: of those for one time the last counts, and what is there already stays."""

from __future__ import annotations

import decimal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from myapp.ledger import errors, model, words
from myapp.scripts.importing import contract, decimals
from myapp.scripts.importing.destination import Destination, PriceKey
from myapp.scripts.importing.plan import EXACT, Note, Plan, PlannedPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """How many prices were recorded, were there, and are in currencies that the ledger does not have."""

    recorded: int
    there: int
    unknown: int


def added(plan: Plan, found: Iterable[PlannedPrice]) -> Plan:
    """Return the plan with prices; those that a ledger cannot hold are rounded or left out, and noted.

    Shape: of those for the same currencies and time the last one counts.
    """
    notes: list[Note] = []
    left_out: Counter[str] = Counter(plan.left_out)
    fitted: dict[PriceKey, PlannedPrice] = {}
    for each in found:
        wanted = _rounded(each, notes)
        if (problem := _problem(wanted)) is not None:
            left_out["prices"] += 1
            notes.append(Note(place=each.place, text=f"the price is left out: {problem}"))
        else:
            fitted[key(wanted)] = replace(each, wanted=wanted)
    return replace(plan, prices=list(fitted.values()), notes=[*plan.notes, *notes], left_out=left_out)


def record(prices: Iterable[PlannedPrice], destination: Destination) -> Priced:
    """Record the prices that the ledger does not have."""
    wanted = [each.wanted for each in prices]
    if not wanted:
        return Priced(recorded=0, there=0, unknown=0)
    codes = destination.exponents({code for each in wanted for code in (each.currency, each.quote)})
    known = [each for each in wanted if each.currency in codes and each.quote in codes]
    there = destination.prices()
    new = [each for each in known if there.get(key(each)) != each.price]
    for start in range(0, len(new), model.PRICES_MAX):
        destination.record_prices(new[start : start + model.PRICES_MAX], at=len(there) + start)
    return Priced(recorded=len(new), there=len(known) - len(new), unknown=len(wanted) - len(known))


def key(of: model.NewPrice | model.Price) -> PriceKey:
    return of.currency, of.quote, of.effective_at


def _rounded(each: PlannedPrice, notes: list[Note]) -> model.NewPrice:
    wanted = each.wanted
    with decimal.localcontext(EXACT):
        price = decimals.rounded(wanted.price, words.PRICE_DECIMALS_MAX)
    if price != wanted.price:
        text = f"the price of {wanted.currency}, {wanted.price:f} {wanted.quote}, is recorded as {price:f}"
        notes.append(Note(place=each.place, text=text))
    return replace(wanted, price=price)


def _problem(wanted: model.NewPrice) -> str | None:
    """Return why a ledger cannot hold the price."""
    if wanted.effective_at.year not in contract.YEARS:
        return f"its year is not from {contract.YEARS.start} to {contract.YEARS.stop - 1}"
    try:
        words.check_price(wanted)
    except errors.InvalidValue as refusal:
        return str(refusal)
    return None
