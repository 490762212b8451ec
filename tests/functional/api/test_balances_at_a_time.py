"""Balances, lists and statements at an effective time, and as they were known at a recorded time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale

LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()


@pytest.fixture
def dated(shop: Shop) -> Shop:
    """Return a shop that sold on two days of last January, the earlier one recorded last."""
    shop.must(201, "POST", "transactions", sale("20.00", effective_at="2026-01-31T23:59:59.999999Z"))
    shop.must(201, "POST", "transactions", sale("5.00", effective_at="2026-02-01"))
    shop.must(201, "POST", "transactions", sale("1.00", effective_at="2026-01-30T12:00:00Z"))
    return shop


def cash_at(shop: Shop, **asked: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    balances = shop.must(200, "GET", f"accounts/{CASH}/balance?{query}")["balances"]
    return balances["USD"]["balance"] if balances else "nothing"


class TestBalance:
    def test_without_a_time_is_that_of_the_account(self, dated: Shop) -> None:
        answer = dated.must(200, "GET", f"accounts/{CASH}/balance")

        assert answer == {
            "path": CASH,
            "at": None,
            "known_at": None,
            "children": False,
            "normal_side": "debit",
            "balances": dated.must(200, "GET", f"accounts/{CASH}")["balances"],
        }

    @pytest.mark.parametrize(
        ("at", "balance"),
        [
            ("2026-01-29", "nothing"),
            ("2026-01-30T11:59:59.999999Z", "nothing"),
            ("2026-01-30T12:00:00Z", "1.00"),
            ("2026-01-30", "1.00"),
            ("2026-01-31T23:59:59Z", "1.00"),
            ("2026-01-31", "21.00"),
            ("2026-02-01T00:00:00Z", "26.00"),
            ("2026-02-01T01:00:00%2B02:00", "1.00"),
            (LATER, "26.00"),
        ],
    )
    def test_counts_what_is_effective_by_then(self, dated: Shop, at: str, balance: str) -> None:
        assert cash_at(dated, at=at) == balance

    def test_says_which_instant_a_date_is(self, dated: Shop) -> None:
        answer = dated.must(200, "GET", f"accounts/{CASH}/balance?at=2026-01-31&known_at=2026-01-31")

        assert answer["at"] == answer["known_at"] == "2026-01-31T23:59:59.999999Z"

    def test_as_known_counts_what_was_recorded_by_then(self, dated: Shop) -> None:
        first, second, third = reversed(dated.must(200, "GET", "transactions")["items"])

        assert cash_at(dated, known_at=first["recorded_at"], at="2026-01-31") == "20.00"
        assert cash_at(dated, known_at=second["recorded_at"], at="2026-01-31") == "20.00"
        assert cash_at(dated, known_at=third["recorded_at"], at="2026-01-31") == "21.00"
        assert cash_at(dated, known_at="2026-01-31", at=LATER) == "nothing"

    def test_of_the_future_is_what_is_known_of_it(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("3.00", effective_at=LATER))

        assert cash_at(shop, at="2026-12-31") == "nothing"
        assert cash_at(shop, at=LATER) == cash_at(shop) == "3.00"


class TestBalanceWithChildren:
    @pytest.fixture
    def tree(self, shop: Shop) -> Shop:
        for path, type_ in [("assets:bank", "asset"), ("assets:bank:savings", "asset"), ("assets:banker", "asset")]:
            shop.must(201, "POST", "accounts", {"path": path, "type": type_})
        for path, amount in [("assets:bank", "1.00"), ("assets:bank:savings", "2.00"), ("assets:banker", "4.00")]:
            shop.must(201, "POST", "transactions", transfer(path, SALES, amount, "2026-01-31"))
        shop.must(201, "POST", "transactions", transfer(SALES, "assets:bank:savings", "0.50", "2026-03-01"))
        return shop

    def test_adds_what_is_below_and_nothing_beside(self, tree: Shop) -> None:
        answer = tree.must(200, "GET", "accounts/assets:bank/balance?children=true")

        assert answer["balances"]["USD"] == {
            "debits": "3.00",
            "credits": "0.50",
            "balance": "2.50",
            "pending_debits": "0.00",
            "pending_credits": "0.00",
            "available": "2.50",
        }

    def test_is_that_of_the_time(self, tree: Shop) -> None:
        answer = tree.must(200, "GET", "accounts/assets:bank/balance?children=true&at=2026-01-31")

        assert answer["balances"]["USD"]["balance"] == "3.00"

    def test_needs_no_account_at_the_path_itself(self, tree: Shop) -> None:
        answer = tree.must(200, "GET", "accounts/income/balance?children=true")

        assert (answer["normal_side"], answer["balances"]["USD"]["balance"]) == ("credit", "6.50")

    def test_is_in_debit_where_those_below_differ(self, tree: Shop) -> None:
        tree.must(201, "POST", "accounts", {"path": "assets:odd", "type": "liability"})

        assert tree.must(200, "GET", "accounts/assets/balance?children=true")["normal_side"] == "debit"

    def test_is_in_the_direction_of_the_account(self, tree: Shop) -> None:
        tree.must(201, "POST", "accounts", {"path": "assets", "type": "liability"})

        answer = tree.must(200, "GET", "accounts/assets/balance?children=true")

        assert (answer["normal_side"], answer["balances"]["USD"]["balance"]) == ("credit", "-6.50")


class TestRefusals:
    @pytest.mark.parametrize("query", ["", "?children=true"])
    def test_of_an_account_that_is_not_there(self, shop: Shop, query: str) -> None:
        problem = shop.refused("not-found", "GET", f"accounts/nowhere/balance{query}")

        assert "nowhere" in problem["detail"]

    def test_of_a_path_without_an_account_unless_those_below_are_asked_for(self, shop: Shop) -> None:
        shop.refused("not-found", "GET", "accounts/assets/balance")

    @pytest.mark.parametrize("parameter", ["at=yesterday", "known_at=2026-02-30", "children=1", "when=2026-01-31"])
    @pytest.mark.parametrize("path", [f"accounts/{CASH}/balance"])
    def test_of_a_parameter_that_makes_no_sense(self, shop: Shop, path: str, parameter: str) -> None:
        problem = shop.refused("bad-parameter", "GET", f"{path}?{parameter}")

        assert parameter.partition("=")[0] in problem["detail"]

    def test_say_that_a_date_is_its_last_instant(self, shop: Shop) -> None:
        assert "last instant" in shop.refused("bad-parameter", "GET", f"accounts/{CASH}/balance?at=x")["detail"]
        assert "first instant" in shop.refused("bad-parameter", "GET", f"accounts/{CASH}/postings?from=x")["detail"]


class TestAccounts:
    def test_are_listed_with_their_balances_of_the_time(self, dated: Shop) -> None:
        def listed(query: str) -> dict[str, Any]:
            items = dated.must(200, "GET", f"accounts?{query}")["items"]
            return {item["path"]: item["balances"].get("USD", {}).get("balance") for item in items}

        assert listed("at=2026-01-31") == {CASH: "21.00", SALES: "21.00"}
        assert listed("at=2026-01-31&prefix=income:") == {SALES: "21.00"}
        assert listed("known_at=2026-01-31") == {CASH: None, SALES: None}
        assert listed("") == {CASH: "26.00", SALES: "26.00"}


class TestStatement:
    def test_is_as_it_was_known(self, dated: Shop) -> None:
        first = dated.must(200, "GET", "transactions")["items"][-1]

        def lines(query: str) -> list[tuple[str, str]]:
            items = dated.must(200, "GET", f"accounts/{CASH}/postings?{query}")["items"]
            return [(item["debit"], item["balance"]) for item in items]

        assert lines(f"known_at={first['recorded_at']}") == [("20.00", "20.00")]
        assert lines("") == [("1.00", "1.00"), ("20.00", "21.00"), ("5.00", "26.00")]
        assert lines("from=2026-01-31") == [("20.00", "21.00"), ("5.00", "26.00")]

    def test_of_pages_runs_on(self, dated: Shop) -> None:
        dated.must(201, "POST", "transactions", refund("2.00", effective_at="2026-01-31T23:59:59.999999Z"))
        balances, query = [], "limit=1"
        while query:
            page = dated.must(200, "GET", f"accounts/{CASH}/postings?{query}")
            balances += [item["balance"] for item in page["items"]]
            query = page["next"] and f"limit=1&after={page['next']}"

        assert balances == ["1.00", "21.00", "19.00", "24.00"]


def transfer(into: str, out_of: str, amount: str, effective_at: str) -> dict[str, Any]:
    postings = [
        {"account": into, "debit": amount, "currency": "USD"},
        {"account": out_of, "credit": amount, "currency": "USD"},
    ]
    return {"postings": postings, "effective_at": effective_at}
