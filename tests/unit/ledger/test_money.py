from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import errors, money

MAX = 2**63 - 1
exponents = st.integers(0, 18)


class TestToMinor:
    @pytest.mark.parametrize(
        ("text", "exponent", "minor"),
        [
            ("12.50", 2, 1250),
            ("12.5000", 2, 1250),
            ("-0.05", 2, -5),
            ("7", 0, 7),
            ("7E+2", 0, 700),
            ("0", 2, 0),
            ("0E-999999", 2, 0),
            ("92233720368547758.07", 2, MAX),
            ("9.223372036854775807", 18, MAX),
        ],
    )
    def test_is_exact(self, text: str, exponent: int, minor: int) -> None:
        assert money.to_minor(Decimal(text), exponent) == minor

    @pytest.mark.parametrize(
        ("text", "exponent"), [("0.001", 2), ("0.5", 0), ("1E-999999", 18), ("123456789012345678.901", 2)]
    )
    def test_refuses_more_digits_than_the_currency_has(self, text: str, exponent: int) -> None:
        with pytest.raises(errors.AmountPrecision):
            money.to_minor(Decimal(text), exponent)

    @pytest.mark.parametrize(
        ("text", "exponent"),
        [("92233720368547758.08", 2), ("-92233720368547758.08", 2), ("1E+999999", 0), ("Infinity", 2), ("NaN", 2)],
    )
    def test_refuses_what_does_not_fit(self, text: str, exponent: int) -> None:
        with pytest.raises(errors.AmountOutOfRange):
            money.to_minor(Decimal(text), exponent)


class TestBothWays:
    @given(st.integers(-MAX, MAX), exponents)
    def test_text_and_back_is_the_same_amount(self, minor: int, exponent: int) -> None:
        assert money.to_minor(Decimal(money.to_text(minor, exponent)), exponent) == minor

    @given(st.integers(-MAX, MAX), exponents)
    def test_text_has_all_digits_of_the_currency(self, minor: int, exponent: int) -> None:
        _, _, digits = money.to_text(minor, exponent).partition(".")
        assert len(digits) == exponent

    @pytest.mark.parametrize(
        ("minor", "exponent", "text"), [(1250, 2, "12.50"), (-5, 2, "-0.05"), (7, 0, "7"), (0, 3, "0.000")]
    )
    def test_text_is_what_people_write(self, minor: int, exponent: int, text: str) -> None:
        assert money.to_text(minor, exponent) == text
