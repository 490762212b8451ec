from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import model
from myapp.scripts.importing import decimals, lines, reading
from myapp.scripts.importing.plan import Plan

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Shares
2024-01-01 open Expenses:Fees
2024-01-01 open Income:Gains
"""


def recorded(plan: Plan) -> list[str]:
    return [
        f"{each.account} {each.side} {each.amount:f} {each.currency}"
        for transaction in plan.transactions
        for each in transaction.wanted.postings
    ]


class TestConvert:
    def test_a_positive_amount_is_a_debit_and_a_negative_one_a_credit(self, plan_of):
        plan = plan_of(ACCOUNTS + '2024-02-01 * "Fee"\n  Expenses:Fees  2.50 USD\n  Assets:Cash\n')
        assert recorded(plan) == ["expenses:Fees debit 2.50 USD", "assets:Cash credit 2.50 USD"]

    def test_a_lot_at_cost_goes_through_the_trading_accounts(self, plan_of):
        plan = plan_of(ACCOUNTS + '2024-02-01 * "Buy"\n  Assets:Shares  10 HOOL {101.50 USD}\n  Assets:Cash\n')
        assert recorded(plan) == [
            "assets:Shares debit 10 HOOL",
            "assets:Cash credit 1015.00 USD",
            "equity:trading:HOOL credit 10 HOOL",
            "equity:trading:USD debit 1015.00 USD",
        ]

    def test_a_sale_with_a_gain_leaves_the_gain_and_the_rest_in_trading(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + '2024-02-01 * "Buy"\n  Assets:Shares  10 HOOL {100.00 USD}\n  Assets:Cash\n'
            + '2024-03-01 * "Sell"\n  Assets:Shares  -10 HOOL {100.00 USD} @ 120.00 USD\n'
            + "  Assets:Cash  1200.00 USD\n  Income:Gains\n"
        )
        assert recorded(plan)[4:] == [
            "assets:Shares credit 10 HOOL",
            "assets:Cash debit 1200.00 USD",
            "income:Gains credit 200.00 USD",
            "equity:trading:HOOL debit 10 HOOL",
            "equity:trading:USD credit 1000.00 USD",
        ]

    def test_what_is_unbalanced_within_tolerance_goes_to_trading(self, plan_of):
        plan = plan_of(
            ACCOUNTS + '2024-02-01 * "Split"\n  Assets:Cash  10.000 PTS\n  Expenses:Fees  -5.00 PTS\n'
            "  Income:Gains  -4.996 PTS\n"
        )
        assert recorded(plan)[-1] == "equity:trading:PTS credit 0.004 PTS"

    def test_lines_of_zero_are_left_out_and_counted(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + '2024-02-01 * "Partly nothing"\n  Assets:Cash  1 USD\n  Expenses:Fees  0 USD\n  Income:Gains  -1 USD\n'
            + '2024-02-02 * "Nothing"\n  Assets:Cash  0 USD\n  Income:Gains  0 USD\n'
        )
        assert recorded(plan) == ["assets:Cash debit 1 USD", "income:Gains credit 1 USD"]
        assert plan.left_out == {"lines of zero": 3, "transactions of zero": 1}
        assert [note.text for note in plan.notes] == ["moves nothing and is left out"]

    def test_what_is_padded_is_recorded(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + "2024-01-01 open Equity:Opening\n2024-01-02 pad Assets:Cash Equity:Opening\n"
            + "2024-02-01 balance Assets:Cash 70.00 USD\n"
        )
        assert recorded(plan) == ["assets:Cash debit 70.00 USD", "equity:Opening credit 70.00 USD"]


amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=5)
legs = st.lists(st.tuples(amounts, st.sampled_from(["USD", "JPY", "VTI"])), min_size=1, max_size=8)


class TestEveryTransaction:
    @given(legs)
    def test_balances_in_each_currency_with_amounts_above_zero(self, legs):
        from beancount.core import amount, data

        postings = [
            data.Posting("Assets:Cash", amount.Amount(number, code), None, None, None, None) for number, code in legs
        ]
        entry = data.Transaction({}, None, "*", None, "", frozenset(), frozenset(), postings)
        converter = lines.Converter({"USD": 2, "JPY": 0, "VTI": 5}, {"Assets:Cash": "assets:Cash"}, may_round=True)
        converted = converter.convert(entry)
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for posting in converted.postings:
            assert posting.amount > 0
            assert decimals.fraction_digits(posting.amount) <= {"USD": 2, "JPY": 0, "VTI": 5}[posting.currency]
            sums[posting.currency] += posting.amount if posting.side is model.Side.DEBIT else -posting.amount
        assert not any(sums.values())
        assert len(converted.postings) != 1
        assert [number for number, _ in converted.written] == list(range(len(converted.written)))
        assert reading.place_of(entry.meta).line == 0
