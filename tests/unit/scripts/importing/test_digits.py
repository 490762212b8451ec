from __future__ import annotations

import pytest

from myapp.ledger import model
from myapp.scripts.importing.plan import JournalError

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Shares
2024-01-01 open Income:Work
"""


def journal(*lines: str) -> str:
    return ACCOUNTS + '2024-02-01 * "Moved"\n' + "".join(f"  {line}\n" for line in lines)


def exponents(plan) -> dict[str, int]:
    return {each.currency.code: each.currency.exponent for each in plan.currencies}


class TestCurrencies:
    def test_a_standard_currency_has_the_standards_digits(self, plan_of):
        assert exponents(plan_of(journal("Assets:Cash 10 JPY", "Income:Work -10 JPY"))) == {"JPY": 0}
        assert exponents(plan_of(journal("Assets:Cash 10 USD", "Income:Work -10 USD"))) == {"USD": 2}

    def test_another_commodity_has_the_most_digits_written(self, plan_of):
        text = journal("Assets:Shares 10.1250 VTI", "Assets:Shares -0.1250 VTI", "Income:Work -10 VTI")
        assert exponents(plan_of(text)) == {"VTI": 4}

    def test_another_commodity_has_the_digits_chosen(self, plan_of):
        assert exponents(plan_of(journal("Assets:Shares 1 VTI", "Income:Work -1 VTI"), VTI=6)) == {"VTI": 6}

    def test_a_computed_amount_asks_for_no_digits(self, plan_of):
        plan = plan_of(journal("Assets:Shares 3 HOOL @@ 10 USD", "Assets:Cash"))
        assert exponents(plan) == {"HOOL": 0, "USD": 2}

    def test_a_commodity_that_is_only_computed_has_a_few_digits(self, plan_of):
        plan = plan_of(journal("Assets:Shares 3 HOOL @@ 10 PTS", "Assets:Cash"))
        assert exponents(plan) == {"HOOL": 0, "PTS": 8}

    def test_a_commodity_nobody_posts_is_left_to_the_day_it_is_used(self, plan_of):
        text = "2020-01-01 commodity VTI\n" + journal("Assets:Cash 1 USD", "Income:Work -1 USD")
        assert exponents(plan_of(text)) == {"USD": 2}

    def test_refuses_more_digits_than_a_ledger_has(self, plan_of):
        with pytest.raises(JournalError, match=r"journal\.beancount:5: WEI would need 19 decimal digits"):
            plan_of(journal("Assets:Cash 0.0000000000000000001 WEI", "Income:Work"))


class TestRounding:
    TOO_FINE = journal("Assets:Cash 10.005 USD", "Income:Work -10.005 USD")

    def test_refuses_an_amount_written_with_more_digits_than_its_currency(self, plan_of):
        with pytest.raises(JournalError, match=r"journal\.beancount:5: 10\.005 USD has more than the 2 .* 10\.00"):
            plan_of(self.TOO_FINE)

    def test_rounds_it_when_told_to_and_says_so(self, plan_of):
        plan = plan_of(self.TOO_FINE, may_round=True)
        assert [str(posting.amount) for posting in plan.transactions[0].wanted.postings] == ["10.00", "10.00"]
        assert [note.text for note in plan.notes] == [
            "10.005 USD is recorded as 10.00",
            "-10.005 USD is recorded as -10.00",
        ]

    def test_takes_zeros_beyond_the_currencys_digits_as_they_are(self, plan_of):
        plan = plan_of(journal("Assets:Cash 10.500 USD", "Income:Work -10.500 USD"))
        assert plan.notes == []
        assert plan.transactions[0].wanted.postings[0].side is model.Side.DEBIT
