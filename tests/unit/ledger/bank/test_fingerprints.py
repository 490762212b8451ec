from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from myapp.ledger.bank import NewLine, fingerprints
from myapp.ledger.model import Side

LINE = NewLine(
    booked_on=date(2026, 1, 31), side=Side.DEBIT, amount=Decimal(5), currency="EUR", details={"text": "Coffee  Bar"}
)
NAMED = replace(LINE, bank_id="A1")


def of(*lines: NewLine) -> list[str]:
    return list(fingerprints.of_lines(lines, [2] * len(lines)))


class TestFingerprint:
    @pytest.mark.parametrize(
        "other",
        [
            replace(LINE, amount=Decimal("5.00")),
            replace(LINE, details={"text": "COFFEE BAR"}),
            replace(LINE, details={"text": "Coffee Bar", "value_date": "31.01.2026"}),
            replace(LINE, statement=7),
        ],
    )
    def test_is_the_same_whatever_differs_without_meaning(self, other: NewLine):
        assert of(other) == of(LINE)

    @pytest.mark.parametrize(
        "change",
        [
            {"booked_on": date(2026, 1, 30)},
            {"side": Side.CREDIT},
            {"amount": Decimal("5.01")},
            {"currency": "USD"},
            {"details": {"text": "Tea Bar"}},
            {"details": {"counterparty": "Coffee Bar"}},
            {"bank_id": "A1"},
        ],
    )
    def test_is_another_for_any_other_line(self, change: dict[str, object]):
        assert of(replace(LINE, **change)) != of(LINE)

    def test_has_no_words_where_the_bank_has_an_id(self):
        assert of(replace(NAMED, details={"text": "Tea"})) == of(NAMED)
        assert of(replace(NAMED, bank_id="A2")) != of(NAMED)

    def test_counts_equal_lines_of_one_statement_and_not_of_two(self):
        first, second, other = of(LINE, LINE, replace(LINE, statement=1))

        assert first != second
        assert other == first

    def test_makes_a_reference_that_is_short_enough_for_any_account(self):
        made = fingerprints.reference("assets:" + "b" * 243, LINE, of(LINE)[0])

        assert made.startswith("bank:2026-01-31:")
        assert len(made) <= 200
