"""What names, codes and limits look like: one grammar for HTTP, the command line and the shell. Pure.

The patterns have no anchors; use them with `re.fullmatch`, or between `^` and `\\Z`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from myapp.ledger import errors
from myapp.ledger.model import Currency, NewAccount, NewLimits, NewPrice

LEDGER_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
CURRENCY_CODE = r"[A-Z][A-Z0-9'._-]{0,23}"

# One word of an account's path: no control or invisible characters, no blank, and none of ASCII's marks except .'&()+-_
_WORD = r'[^\s\x00-\x20"#$%*,/:;<=>?@\\\[\]^`{|}~!\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+'
_SEGMENT = f"{_WORD}(?: {_WORD})*"
ACCOUNT_PATH = rf"{_SEGMENT}(?::{_SEGMENT})*"
PATH_LENGTH_MAX = 250

EXPONENT_MAX = 18

PRICE_DIGITS_MAX = 40
PRICE_DECIMALS_MAX = 20


def check_ledger_name(name: str) -> None:
    """Raises: InvalidValue."""
    if not re.fullmatch(LEDGER_NAME, name):
        raise errors.InvalidValue(
            f"{name!r} is no name of a ledger: 1 to 100 letters, digits, dots, dashes or underscores, "
            "starting with a letter or a digit."
        )


def check_currency(currency: Currency) -> None:
    """Raises: InvalidValue."""
    if not re.fullmatch(CURRENCY_CODE, currency.code):
        raise errors.InvalidValue(
            f"{currency.code!r} is no currency's code: 1 to 24 capital letters, digits or '._-, starting with a letter."
        )
    if not 0 <= currency.exponent <= EXPONENT_MAX:
        raise errors.InvalidValue(f"A currency has 0 to {EXPONENT_MAX} decimal digits, not {currency.exponent}.")


def check_account(wanted: NewAccount) -> None:
    """Raises: InvalidValue."""
    if len(wanted.path) > PATH_LENGTH_MAX or not re.fullmatch(ACCOUNT_PATH, wanted.path):
        raise errors.InvalidValue(
            f"{wanted.path!r} is no account's path: names joined by colons, "
            f"at most {PATH_LENGTH_MAX} characters altogether."
        )
    if wanted.currencies is not None:
        _check_currencies(wanted.currencies)
    check_limits(wanted.limits)


def check_price(wanted: NewPrice) -> None:
    """Raises: InvalidValue."""
    if wanted.currency == wanted.quote:
        raise errors.InvalidValue(f"A price of {wanted.currency} is in another currency.").within("quote")
    is_number = wanted.price.is_finite() and not wanted.price.is_signed()
    if not is_number or wanted.price.adjusted() >= PRICE_DIGITS_MAX or _decimals(wanted.price) > PRICE_DECIMALS_MAX:
        raise errors.InvalidValue(
            f"A price is not negative and has at most {PRICE_DIGITS_MAX} digits and {PRICE_DECIMALS_MAX} decimals."
        ).within("price")


def check_limits(limits: Mapping[str, NewLimits | None]) -> None:
    """Raises: InvalidValue."""
    for code, wanted in limits.items():
        if wanted is None or wanted.min is None or wanted.max is None:
            continue
        # Unlike `>`, this has an answer for what is no number; that is refused as an amount.
        if wanted.min.compare(wanted.max) == 1:
            raise errors.InvalidValue(f"The minimum in {code} is above the maximum.").within("limits", code)


def _check_currencies(codes: Sequence[str]) -> None:
    if not codes:
        detail = "An account takes at least one currency; without a list it takes any."
        raise errors.InvalidValue(detail).within("currencies")
    if len(set(codes)) < len(codes):
        raise errors.InvalidValue("A currency occurs twice among those the account takes.").within("currencies")


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
