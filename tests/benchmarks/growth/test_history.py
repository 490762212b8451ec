"""A history is the same each time, balances, and uses accounts as it says."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

from tests.benchmarks.growth import history
from tests.benchmarks.growth.history import BATCH, History
from tests.benchmarks.peers import books

SHOP = History(accounts=50, transactions_a_day=400)


def transactions(number: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(SHOP.batch(number))["transactions"]
    return found


class TestHistory:
    def test_has_the_same_batch_for_a_number_each_time_and_another_for_another(self):
        assert SHOP.batch(3) == SHOP.batch(3)
        assert SHOP.batch(3) != SHOP.batch(4)

    def test_moves_an_amount_between_two_accounts(self):
        found = transactions(0)

        assert len(found) == BATCH
        for each in found:
            debited, credited = each["postings"]
            assert debited["account"] != credited["account"]
            assert debited["debit"] == credited["credit"]

    def test_goes_on_day_by_day(self):
        days = [each["effective_at"] for number in (0, 1) for each in transactions(number)]

        assert days == sorted(days)
        assert Counter(days) == {f"2023-01-0{day}": 400 for day in range(1, 6)}
        assert SHOP.day(2 * BATCH) == date(2023, 1, 6)

    def test_uses_the_first_account_about_twice_as_often_as_the_second(self):
        used = Counter(each["account"] for one in transactions(0) for each in one["postings"])

        assert 1.4 < used[books.path(1)] / used[books.path(2)] < 2.6
        assert set(used) <= {books.path(number) for number in range(1, 51)}


class TestZipf:
    def test_adds_up_the_shares(self):
        assert history.zipf(3) == [1.0, 1.5, 1.5 + 1 / 3]
