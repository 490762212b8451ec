from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import errors, reports
from myapp.ledger.model import AccountType
from myapp.ledger.reports import Figure, Rate

AT = datetime(2026, 1, 31, tzinfo=UTC)
EXPONENTS = {"EUR": 2, "JPY": 0, "USD": 2, "HOOL": 4}


def worth(price: str, *, currency: str = "EUR", quote: str = "USD", into: str = "USD", **nets: int) -> int:
    rate = Rate(currency=currency, quote=quote, price=Decimal(price))
    other = quote if currency == into else currency
    figures = [Figure(path="a", type=AccountType.ASSET, nets=nets)]
    (valued,) = reports.value(figures, into, {other: rate}, exponents=EXPONENTS, at=AT).figures
    return valued.nets[into]


class TestValue:
    @pytest.mark.parametrize(
        ("price", "minor", "expected"),
        [
            ("1.0850", 10_000, 10_850),
            ("0.005", 100, 0),
            ("0.015", 100, 2),
            ("0.025", 100, 2),
            ("0.025", -100, -2),
            ("0.0150000000000001", 100, 2),
            ("0", 100, 0),
        ],
    )
    def test_rounds_half_to_even(self, price: str, minor: int, expected: int) -> None:
        assert worth(price, EUR=minor) == expected

    def test_minds_the_digits_of_both_currencies(self) -> None:
        assert worth("0.0064", currency="JPY", JPY=1_000) == 640
        assert worth("101.50", currency="HOOL", HOOL=25_000) == 25_375

    def test_turns_a_price_around_without_rounding_it(self) -> None:
        assert worth("3", currency="USD", quote="EUR", EUR=100) == 33
        assert worth("3", currency="USD", quote="EUR", EUR=3 * 10**30) == 10**30

    def test_rounds_each_currency_of_an_account_for_itself(self) -> None:
        assert worth("0.004", EUR=100, USD=7) == 7
        assert worth("0.006", EUR=100, USD=7) == 8

    @given(st.integers(-(10**18), 10**18), st.decimals("0.0001", "10000", places=6))
    def test_is_what_decimals_with_room_enough_say(self, minor: int, price: Decimal) -> None:
        assert worth(str(price), EUR=minor) == int((Decimal(minor) * price).quantize(Decimal(1), ROUND_HALF_EVEN))

    def test_needs_no_price_of_what_is_zero(self) -> None:
        figures = [Figure(path="a", type=AccountType.ASSET, nets={"EUR": 0, "USD": 5})]

        valued = reports.value(figures, "USD", {}, exponents=EXPONENTS, at=AT)

        assert (valued.figures[0].nets, valued.rates) == ({"USD": 5}, [])

    def test_refuses_to_guess_and_names_the_currency_and_the_time(self) -> None:
        figures = [Figure(path="a", type=AccountType.ASSET, nets={"EUR": 1})]

        with pytest.raises(errors.MissingPrice, match=r"EUR in USD at or before 2026-01-31T00:00:00"):
            reports.value(figures, "USD", {}, exponents=EXPONENTS, at=AT)

    def test_refuses_to_turn_a_price_of_zero_around(self) -> None:
        with pytest.raises(errors.MissingPrice):
            worth("0", currency="USD", quote="EUR", EUR=1)
