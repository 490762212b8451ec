"""The digits of exact decimal numbers."""

from __future__ import annotations

import decimal
from decimal import Decimal


def fraction_digits(number: Decimal) -> int:
    """Return how many decimal digits a number is written with."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def rounded(number: Decimal, exponent: int) -> Decimal:
    """Return a number with at most so many decimal digits, half to even."""
    if fraction_digits(number) <= exponent:
        return number
    return number.quantize(Decimal(1).scaleb(-exponent), rounding=decimal.ROUND_HALF_EVEN)
