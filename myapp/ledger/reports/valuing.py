"""What figures are worth in one currency. Pure and exact: a price is a ratio, and only the result is rounded.

A price says what one whole unit of a currency is worth in whole units of another. It counts in both directions: where
there is none in the direction that is needed, the other is turned around, as it is and not rounded. Prices are never
chained over a third currency, since the result would be a price that nobody has given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from myapp.ledger import errors
from myapp.ledger.reports.figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A price as it was given or recorded; `effective_at` is None where it was given with the request."""

    currency: str
    quote: str
    price: Decimal
    effective_at: datetime | None = None

    def of(self, currency: str) -> Fraction | None:
        """Return what a unit of this currency is worth in the other one; None where nothing can be told."""
        numerator, denominator = self.price.as_integer_ratio()
        if currency == self.currency:
            return Fraction(numerator, denominator)
        return Fraction(denominator, numerator) if numerator else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """Figures in one currency, with the rates that were used."""

    currency: str
    figures: Sequence[Figure]
    rates: Sequence[Rate]


def foreign(figures: Sequence[Figure], currency: str) -> Sequence[str]:
    """Return the currencies that need a price; what is zero is worth zero without one."""
    return sorted({code for figure in figures for code, net in figure.nets.items() if net and code != currency})


def value(
    figures: Sequence[Figure],
    currency: str,
    rates: Mapping[str, Rate],
    *,
    exponents: Mapping[str, int],
    at: datetime,
) -> Valued:
    """Return what each account comes to in one currency.

    Units: rounded to the smallest unit, half to even, for each account and each currency it has.
    Shape: `rates` by the currency that needs one.
    Raises:
        MissingPrice: a currency has no rate; `at` says when one was looked for.
    """
    needed = foreign(figures, currency)
    ratios = {code: _ratio(code, currency, rates.get(code), exponents, at) for code in needed}
    ratios[currency] = Fraction(1)
    return Valued(
        currency=currency,
        figures=[
            Figure(path=figure.path, type=figure.type, nets=_worth(figure.nets, currency, ratios)) for figure in figures
        ],
        rates=[rates[code] for code in needed],
    )


def _worth(nets: Mapping[str, int], currency: str, ratios: Mapping[str, Fraction]) -> Mapping[str, int]:
    if not nets:
        return {}
    # `round` on a fraction is exact, and half to even.
    return {currency: sum(round(net * ratios[code]) for code, net in nets.items() if net)}


def _ratio(code: str, currency: str, rate: Rate | None, exponents: Mapping[str, int], at: datetime) -> Fraction:
    """Return what the smallest unit is worth in smallest units."""
    ratio = None if rate is None else rate.of(code)
    if ratio is None:
        raise errors.MissingPrice(
            f"There is no price of {code} in {currency} at or before {at.isoformat()}; "
            f"record one, or give price.{code} with the request."
        )
    return ratio * Fraction(10 ** exponents[currency], 10 ** exponents[code])
