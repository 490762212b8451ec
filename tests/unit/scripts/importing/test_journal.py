from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from myapp.ledger import model
from myapp.scripts.importing.plan import JournalError

ACCOUNTS = """\
2024-01-01 open Assets:US:Cash  USD
2024-01-01 open Assets:US:Shares  HOOL,USD
2024-01-01 open Liabilities:Card
2024-01-01 open Equity:Opening
2024-01-01 open Income:Work
2024-01-01 open Expenses:Food
"""
PAID = '2024-02-01 * "Paid"\n  Assets:US:Cash  1.00 USD\n  Income:Work\n'


class TestAccounts:
    def test_have_a_type_from_their_root_and_keep_the_rest_of_their_name(self, plan_of):
        plan = plan_of(ACCOUNTS)
        assert [(each.account.path, each.account.type.value) for each in plan.accounts] == [
            ("assets:US:Cash", "asset"),
            ("assets:US:Shares", "asset"),
            ("liabilities:Card", "liability"),
            ("equity:Opening", "equity"),
            ("income:Work", "income"),
            ("expenses:Food", "expense"),
        ]
        assert [each.place.line for each in plan.accounts] == [1, 2, 3, 4, 5, 6]

    def test_have_the_ledgers_roots_whatever_the_journal_calls_them(self, plan_of):
        plan = plan_of('option "name_assets" "Aktiva"\n2024-01-01 open Aktiva:Bank\n')
        assert plan.accounts[0].account.path == "assets:Bank"
        assert plan.accounts[0].account.type is model.AccountType.ASSET

    def test_are_tied_to_the_currencies_they_name_once_all_of_them_are_in_use(self, plan_of):
        accounts = {each.account.path: each.account for each in plan_of(ACCOUNTS + PAID).accounts}
        assert accounts["assets:US:Cash"].currencies == ("USD",)
        assert accounts["assets:US:Shares"].currencies is None
        assert accounts["income:Work"].currencies is None

    def test_of_trading_are_added_where_they_are_used(self, plan_of):
        plan = plan_of(ACCOUNTS + '2024-02-01 * "Buy"\n  Assets:US:Shares  1 HOOL {5.00 USD}\n  Assets:US:Cash\n')
        trading = [each.account for each in plan.accounts if each.account.path.startswith("equity:trading:")]
        assert [(each.path, each.currencies) for each in trading] == [
            ("equity:trading:HOOL", ("HOOL",)),
            ("equity:trading:USD", ("USD",)),
        ]

    def test_whose_path_is_too_long_are_refused_with_their_line(self, plan_of):
        with pytest.raises(JournalError, match=r"journal\.beancount:1: assets:L+: a path has at most 250 characters"):
            plan_of(f"2024-01-01 open Assets:{'L' * 250}\n")


class TestTransactions:
    def test_count_from_the_first_instant_of_their_day(self, plan_of):
        wanted = plan_of(ACCOUNTS + PAID).transactions[0].wanted
        assert wanted.effective_at == datetime(2024, 2, 1, tzinfo=UTC)

    def test_have_a_currency_the_http_contract_can_name(self, plan_of):
        with pytest.raises(JournalError, match=r"journal\.beancount:8: /ESM24: a currency is 1 to 24 capitals"):
            plan_of(
                ACCOUNTS
                + '2024-02-01 * "Future"\n  Assets:US:Shares  1 /ESM24\n  Income:Work\n'.replace("US:Shares", "Fut")
                + "2024-01-01 open Assets:Fut\n"
            )

    @pytest.mark.parametrize("year", ["0999", "9999"])
    def test_of_a_year_the_http_contract_cannot_say_are_refused(self, plan_of, year):
        early = ACCOUNTS.replace("2024-01-01", "0500-01-01")
        with pytest.raises(JournalError, match=r"journal\.beancount:7: a transaction's year is from 1000 to 9998"):
            plan_of(early + PAID.replace("2024", year))

    def test_of_too_many_lines_are_refused(self, plan_of):
        lines = "  Expenses:Food  0.01 USD\n" * 1000
        with pytest.raises(JournalError, match=r"journal\.beancount:7: a transaction has at most 1000 postings"):
            plan_of(ACCOUNTS + f'2024-02-01 * "Many"\n{lines}  Liabilities:Card  -10.00 USD\n')


class TestAssertions:
    def test_have_beancounts_tolerance(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + PAID
            + "2024-03-01 balance Assets:US:Cash  1.00 USD\n"
            + "2024-03-02 balance Assets:US:Cash  1 USD\n"
            + "2024-03-03 balance Assets:US:Cash  1.1 ~ 0.2 USD\n"
        )
        assert [each.tolerance for each in plan.assertions] == [Decimal("0.01"), Decimal(0), Decimal("0.2")]
        assert [each.date for each in plan.assertions] == [date(2024, 3, day) for day in (1, 2, 3)]
        assert {each.path for each in plan.assertions} == {"assets:US:Cash"}

    def test_know_whether_the_journal_itself_bears_them_out(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + PAID
            + "2024-03-01 balance Assets:US:Cash  1.00 USD\n2024-03-02 balance Assets:US:Cash  2.00 USD\n"
        )
        assert [each.fails_in_journal for each in plan.assertions] == [False, True]


class TestPrices:
    def test_are_those_of_the_journal_and_of_one_day_the_last(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + "2024-01-03 price HOOL 6.50 USD\n2024-01-02 price HOOL 5 USD\n2024-01-03 price HOOL 7.0 USD\n"
            + '2024-01-03 price HOOL 8 USD\n  ledger-time: "2024-01-03T12:00:00Z"\n'
        )
        assert [(each.wanted.effective_at.isoformat(), f"{each.wanted.price}") for each in plan.prices] == [
            ("2024-01-02T00:00:00+00:00", "5"),
            ("2024-01-03T00:00:00+00:00", "7.0"),
            ("2024-01-03T12:00:00+00:00", "8"),
        ]

    def test_that_a_ledger_cannot_hold_are_rounded_or_left_out_and_noted(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + f"2024-01-02 price HOOL 0.{'3' * 28} USD\n2024-01-03 price HOOL -1 USD\n"
            + "2024-01-04 price USD 1 USD\n0999-01-01 price HOOL 1 USD\n"
        )
        assert [f"{each.wanted.price}" for each in plan.prices] == ["0." + "3" * 20]
        assert plan.left_out["prices"] == 3
        said = [note.text for note in plan.notes]
        assert [text.startswith("the price is left out: ") for text in said].count(True) == 3
        assert f"the price of HOOL, 0.{'3' * 28} USD, is recorded as 0.{'3' * 20}" in said


class TestLeftOut:
    def test_counts_what_a_ledger_has_no_place_for(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + "2024-01-01 commodity HOOL\n"
            + '2024-01-02 event "location" "Paris"\n2024-01-02 note Liabilities:Card "called"\n'
            + '2024-01-02 query "q" "SELECT 1"\n2024-01-02 custom "budget" "x"\n'
        )
        assert plan.left_out == {
            "commodity descriptions": 1,
            "events": 1,
            "notes": 1,
            "queries": 1,
            "custom directives": 1,
        }
