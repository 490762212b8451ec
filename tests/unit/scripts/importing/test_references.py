from __future__ import annotations

import pytest

from myapp.scripts.importing import references

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Till
2024-01-01 open Expenses:Food
"""


def lunch(narration: str, *, amount: str = "8.00", payer: str = "Assets:Cash") -> str:
    return f'2024-02-01 * "{narration}"\n  Expenses:Food  {amount} USD\n  {payer}  -{amount} USD\n'


@pytest.fixture
def references_of(plan_of):
    return lambda *entries: [each.reference for each in plan_of(ACCOUNTS + "".join(entries)).transactions]


@pytest.fixture
def compare(plan_of, references_of):
    """Return a function that reconciles a journal with the references an earlier version of it left."""

    def compare(before: list[str], after: list[str]) -> references.Reconciled:
        recorded = references_of(*before)
        return references.reconcile(plan_of(ACCOUNTS + "".join(after)).transactions, recorded)

    return compare


class TestReferences:
    def test_are_the_same_for_the_same_journal(self, references_of):
        assert references_of(lunch("Noodles"), lunch("Soup")) == references_of(lunch("Noodles"), lunch("Soup"))

    def test_tell_equal_transactions_apart(self, references_of):
        first, second = references_of(lunch("Noodles"), lunch("Noodles"))
        assert (first[-2:], second[-2:]) == ("-1", "-2")
        assert first[:-2] == second[:-2]

    def test_heed_neither_the_order_of_lines_nor_zeros_at_the_end(self, references_of):
        turned = '2024-02-01 * "Noodles"\n  Assets:Cash  -8 USD\n  Expenses:Food  8 USD\n'
        assert references_of(turned) == references_of(lunch("Noodles"))

    def test_fit_the_ledger(self, references_of):
        assert references_of(lunch("Noodles"))[0].startswith("beancount:")
        assert len(references_of(lunch("Noodles"))[0]) <= 200


class TestReconcile:
    def test_finds_everything_there_the_second_time(self, compare):
        found = compare([lunch("Noodles"), lunch("Soup")], [lunch("Noodles"), lunch("Soup")])
        assert (len(found.new), found.there, len(found.reworded), len(found.gone)) == (0, 2, 0, 0)

    def test_loads_only_what_the_journal_gained(self, compare):
        found = compare([lunch("Noodles")], [lunch("Cake", amount="3.00"), lunch("Noodles")])
        assert [each.wanted.description for each in found.new] == ["Cake"]
        assert found.there == 1

    def test_takes_other_words_for_the_same_money_as_the_same_transaction(self, compare):
        found = compare([lunch("Nodles")], [lunch("Noodles")])
        assert (len(found.new), found.there, len(found.gone)) == (0, 0, 0)
        assert [each.wanted.description for each in found.reworded] == ["Noodles"]

    def test_takes_one_of_two_with_new_words_as_new_when_only_one_was_there(self, compare):
        found = compare([lunch("Nodles")], [lunch("Noodles"), lunch("Soup")])
        assert (len(found.new), len(found.reworded)) == (1, 1)

    def test_prefers_the_same_words_to_the_same_money(self, compare):
        found = compare([lunch("Soup"), lunch("Nodles")], [lunch("Noodles"), lunch("Soup"), lunch("Cake")])
        assert [each.wanted.description for each in found.reworded] == ["Noodles"]
        assert [each.wanted.description for each in found.new] == ["Cake"]

    def test_takes_another_amount_as_new_and_names_what_is_gone(self, compare):
        found = compare([lunch("Noodles")], [lunch("Noodles", amount="9.00")])
        assert len(found.new) == len(found.gone) == 1

    def test_takes_another_account_as_new(self, compare):
        found = compare([lunch("Noodles")], [lunch("Noodles", payer="Assets:Till")])
        assert len(found.new) == len(found.gone) == 1

    def test_loads_the_second_of_two_equal_transactions(self, compare):
        found = compare([lunch("Noodles")], [lunch("Noodles"), lunch("Noodles")])
        assert [each.reference[-2:] for each in found.new] == ["-2"]
