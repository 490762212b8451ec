from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from myapp.scripts.importing import assertions
from myapp.scripts.importing.assertions import Movement
from myapp.scripts.importing.plan import Assertion, Place


def wanted(path: str, expected: str, *, day: int = 10, tolerance: str = "0", currency: str = "USD") -> Assertion:
    return Assertion(
        place=Place(file="journal.beancount", line=7),
        path=path,
        currency=currency,
        date=date(2024, 1, day),
        expected=Decimal(expected),
        tolerance=Decimal(tolerance),
        fails_in_journal=False,
    )


def gained(path: str, net: str, *, day: int = 1, currency: str = "USD") -> Movement:
    return Movement(path=path, currency=currency, day=date(2024, 1, day), net=Decimal(net))


class TestFailures:
    @pytest.mark.parametrize(
        ("asked", "movements"),
        [
            pytest.param(wanted("assets:Cash", "0"), [], id="an account nothing was posted to"),
            pytest.param(
                wanted("assets:Cash", "5"),
                [gained("assets:Cash", "5", day=9), gained("assets:Cash", "1", day=10)],
                id="what is effective before the day",
            ),
            pytest.param(
                wanted("assets:Cash", "5"),
                [gained("assets:Cash", "-3", day=4), gained("assets:Cash", "8", day=2)],
                id="movements in any order",
            ),
            pytest.param(
                wanted("assets:US", "6"),
                [gained("assets:US", "1"), gained("assets:US:Bank:Cash", "5"), gained("assets:USA", "9")],
                id="the account and all below it",
            ),
            pytest.param(
                wanted("assets:Cash", "5"),
                [gained("assets:Cash", "5"), gained("assets:Cash", "7", currency="EUR")],
                id="its own currency",
            ),
            pytest.param(
                wanted("equity", "5"),
                [gained("equity:Opening", "5"), gained("equity:trading:USD", "-5")],
                id="no trading account",
            ),
            pytest.param(
                wanted("assets:Cash", "5.01", tolerance="0.01"), [gained("assets:Cash", "5")], id="within the tolerance"
            ),
        ],
    )
    def test_finds_none_where_the_ledger_agrees_on(self, asked, movements):
        assert assertions.failures([asked], movements) == []

    def test_says_where_what_was_expected_and_what_was_found(self):
        [failure] = assertions.failures([wanted("assets:Cash", "5.02", tolerance="0.01")], [gained("assets:Cash", "5")])
        assert str(failure) == (
            "journal.beancount:7: assets:Cash on 2024-01-10: expected 5.02 USD, found 5 (0.02 too little)"
        )

    def test_judges_each_assertion_at_its_own_day(self):
        asked = [wanted("assets:Cash", "1", day=day) for day in (2, 3, 4)]
        movements = [gained("assets:Cash", "1", day=day) for day in (1, 2, 3)]
        assert [failure.found for failure in assertions.failures(asked, movements)] == [2, 3]
