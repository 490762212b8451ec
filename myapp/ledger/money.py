"""Exact amounts: a Decimal in the currency's own unit, an integer in its smallest, text with the currency's digits."""

from __future__ import annotations

from decimal import Decimal

from myapp.ledger import errors, model

# Beyond these a Decimal needs no exact arithmetic to be refused, and none is done: 1E+999999999 is short to write.
MAGNITUDE_MAX = 100


def to_minor(amount: Decimal, exponent: int) -> int:
    """Return the amount in the smallest unit of a currency with `exponent` decimal digits.

    Raises:
        AmountPrecision: the amount has more digits than the currency; zeros at the end do not count.
        AmountOutOfRange: it does not fit in 64 bits, or is no number.
    """
    if not amount.is_finite() or amount.adjusted() > MAGNITUDE_MAX:
        raise errors.AmountOutOfRange(f"{amount} does not fit in 64 bits of the currency's smallest unit.")
    if amount and amount.adjusted() < -MAGNITUDE_MAX:
        raise errors.AmountPrecision(f"{amount} has more decimal digits than the currency's {exponent}.")
    numerator, denominator = amount.as_integer_ratio()
    scale: int = 10**exponent
    minor, rest = divmod(numerator * scale, denominator)
    if rest:
        raise errors.AmountPrecision(f"{amount} has more decimal digits than the currency's {exponent}.")
    if abs(minor) > model.AMOUNT_MINOR_MAX:
        raise errors.AmountOutOfRange(f"{amount} does not fit in 64 bits of the currency's smallest unit.")
    return minor


def to_text(minor: int, exponent: int) -> str:
    """Return an amount in the currency's own unit with all of its digits: "12.50", "-0.05", "7"."""
    digits = str(minor)
    if exponent == 0:
        return digits
    if minor < 0 or len(digits) <= exponent:
        sign = "-" if minor < 0 else ""
        digits = sign + str(abs(minor)).zfill(exponent + 1)
    return f"{digits[:-exponent]}.{digits[-exponent:]}"
