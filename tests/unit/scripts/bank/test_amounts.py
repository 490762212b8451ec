from __future__ import annotations

from decimal import Decimal

import pytest

from myapp.scripts.bank import amounts
from myapp.scripts.bank.statements import Malformed


class TestAmount:
    @pytest.mark.parametrize(
        ("text", "decimal", "thousands", "amount"),
        [
            ("12.50", ".", "", "12.50"),
            ("+7", ".", "", "7"),
            (" - 3.10 ", ".", "", "-3.10"),
            ("\N{MINUS SIGN}3", ".", "", "-3"),
            ("(12.50)", ".", "", "-12.50"),
            ("1.234.567,89-", ",", ".", "-1234567.89"),
            ("1234,5", ",", ".", "1234.5"),
            ("1\N{NO-BREAK SPACE}234,00", ",", " ", "1234"),
            ("1'000.05", ".", "'", "1000.05"),
            (".5", ".", "", "0.5"),
            ("5.", ".", "", "5"),
        ],
    )
    def test_is_what_the_bank_means(self, text: str, decimal: str, thousands: str, amount: str):
        assert amounts.amount(text, decimal=decimal, thousands=thousands) == Decimal(amount)

    @pytest.mark.parametrize("text", ["", "-", ".", "1,5", "1.2.3", "12a", "NaN", "1e5", "--1", "-(1)", "1" * 41, "٣"])
    def test_is_never_guessed(self, text: str):
        with pytest.raises(Malformed):
            amounts.amount(text)

    @pytest.mark.parametrize("text", ["1.23,00", "12.3456,00", "1.234.5"])
    def test_has_its_thousands_by_threes(self, text: str):
        with pytest.raises(Malformed):
            amounts.amount(text, decimal=",", thousands=".")


class TestDay:
    def test_is_in_the_form_given(self):
        assert str(amounts.day(" 31.01.26 ", "%d.%m.%y")) == "2026-01-31"

    @pytest.mark.parametrize("text", ["2026-13-01", "31.01.2026", "", "0026-01-01"])
    def test_is_refused_in_any_other(self, text: str):
        with pytest.raises(Malformed):
            amounts.day(text, "%Y-%m-%d")
