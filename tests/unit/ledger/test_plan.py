from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import errors, plan
from myapp.ledger.model import NewPosting, NewTransaction, Side

EXPONENTS = {"USD": 2, "JPY": 0}


def posting(account: str, amount: int, currency: str = "JPY") -> NewPosting:
    """Return a debit, or a credit where the amount is negative."""
    side = Side.DEBIT if amount > 0 else Side.CREDIT
    return NewPosting(account=account, currency=currency, side=side, amount=Decimal(abs(amount)))


def transaction(*moves: tuple[str, int]) -> NewTransaction:
    return NewTransaction(postings=[posting(account, amount) for account, amount in moves])


class TestMake:
    def test_adds_up_each_account_and_currency(self) -> None:
        made = plan.make(
            [transaction(("a", 5), ("b", -5)), transaction(("b", 2), ("a", -2), ("a", 3), ("b", -3))], EXPONENTS
        )

        a, b = made.slots
        assert (a.path, a.total.debits, a.total.credits, a.total.lines) == ("a", 8, 2, 3)
        assert (b.path, b.total.debits, b.total.credits, b.total.lines) == ("b", 2, 8, 3)
        assert [
            (line.transaction, line.line, line.slot, line.total.debits, line.total.credits, line.total.lines)
            for line in made.lines
        ] == [
            (0, 0, 0, 5, 0, 1),
            (0, 1, 1, 0, 5, 1),
            (1, 0, 1, 2, 5, 2),
            (1, 1, 0, 5, 2, 2),
            (1, 2, 0, 8, 2, 3),
            (1, 3, 1, 2, 8, 3),
        ]

    def test_tells_the_extremes_at_the_end_of_transactions_only(self) -> None:
        made = plan.make([transaction(("a", -100), ("a", 105), ("b", -5)), transaction(("a", -7), ("b", 7))], EXPONENTS)

        a, b = made.slots
        assert (a.low, a.high) == (-2, 5)
        assert (b.low, b.high) == (-5, 2)

    def test_keeps_currencies_apart(self) -> None:
        both = NewTransaction(
            postings=[posting("a", 1), posting("b", -1), posting("a", 1, "USD"), posting("b", -1, "USD")]
        )

        made = plan.make([both], EXPONENTS)

        assert [(slot.currency, slot.total.debits + slot.total.credits) for slot in made.slots] == [
            ("JPY", 1), ("JPY", 1), ("USD", 100), ("USD", 100),
        ]  # fmt: skip

    def test_knows_what_no_balance_can_take(self) -> None:
        most = 2**63 - 1
        fits = transaction(("a", most), ("b", -most))

        assert plan.make([fits], EXPONENTS).fits
        assert not plan.make([fits, transaction(("a", 1), ("c", -1))], EXPONENTS).fits
        assert not plan.make([fits, transaction(("c", 1), ("b", -1))], EXPONENTS).fits

    def test_says_by_how_much_it_is_unbalanced(self) -> None:
        with pytest.raises(errors.UnbalancedTransaction, match="credits exceed the debits by 2 JPY") as caught:
            plan.make([transaction(("a", 5), ("b", -5)), transaction(("a", 5), ("b", -7))], EXPONENTS)
        assert (caught.value.index, caught.value.line) == (1, None)

    @given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("cd"), st.integers(1, 2**62)), min_size=1))
    def test_the_last_line_of_a_slot_reaches_its_totals(self, moves: list[tuple[str, str, int]]) -> None:
        made = plan.make([transaction((into, amount), (out_of, -amount)) for into, out_of, amount in moves], EXPONENTS)

        last = {line.slot: line for line in made.lines}
        for place, slot in enumerate(made.slots):
            assert last[place].total == slot.total
            assert slot.low <= slot.total.low == slot.total.high <= slot.high
        assert sum(slot.total.low for slot in made.slots) == 0
