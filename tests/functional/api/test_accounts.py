"""Opening accounts, reading them, changing them under If-Match."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale


class TestOpenAccount:
    def test_answers_with_the_account_and_its_address(self, shop: Shop) -> None:
        wanted = {
            "path": "assets:bank:Zürich & Söhne (1)",
            "type": "asset",
            "currencies": ["USD", "JPY"],
            "limits": {"USD": {"min": "-5", "max": "1000.5"}, "JPY": {"max": "7"}},
            "metadata": {"iban": "CH93"},
        }

        opened = shop.call("POST", "accounts", wanted)

        nothing = {"debits": "0.00", "credits": "0.00", "balance": "0.00"}
        nothing |= {"pending_debits": "0.00", "pending_credits": "0.00", "available": "0.00"}
        assert opened.status_int == 201
        assert opened.json == {
            **wanted,
            "closed": False,
            "limits": {"USD": {"min": "-5.00", "max": "1000.50"}, "JPY": {"max": "7"}},
            "balances": {"USD": nothing, "JPY": dict.fromkeys(nothing, "0")},
            "versions": {"USD": 0, "JPY": 0},
        }
        assert shop.must(200, "GET", opened.headers["Location"].removeprefix("http://localhost")) == opened.json

    def test_refuses_a_path_that_is_taken(self, shop: Shop) -> None:
        problem = shop.refused("already-exists", "POST", "accounts", {"path": CASH, "type": "asset"})

        assert problem["errors"][0]["pointer"] == "/path"

    def test_refuses_a_limit_in_a_currency_it_does_not_take(self, shop: Shop) -> None:
        wanted = {"path": "assets:new", "type": "asset", "currencies": ["JPY"], "limits": {"USD": {"max": "1"}}}

        problem = shop.refused("currency-not-allowed", "POST", "accounts", wanted)

        assert problem["errors"][0]["pointer"] == "/limits/USD"

    @pytest.mark.parametrize("currencies", [[], ["USD", "USD"]])
    def test_refuses_a_list_of_currencies_that_says_nothing_or_the_same(self, shop: Shop, currencies: object) -> None:
        wanted = {"path": "assets:new", "type": "asset", "currencies": currencies}

        assert shop.refused("validation-failed", "POST", "accounts", wanted)["errors"][0]["pointer"] == "/currencies"

    def test_refuses_a_currency_nobody_knows(self, shop: Shop) -> None:
        wanted = {"path": "assets:new", "type": "asset", "currencies": ["USD", "XQZ"]}

        assert shop.refused("unknown-currency", "POST", "accounts", wanted)["errors"][0]["pointer"] == "/currencies/1"

    @pytest.mark.parametrize(
        ("limits", "code", "pointer"),
        [
            ({"XQZ": {"min": "0"}}, "unknown-currency", "/limits/XQZ"),
            ({"USD": {"min": "0.001"}}, "amount-precision", "/limits/USD/min"),
            ({"USD": {"max": "9" * 40}}, "amount-out-of-range", "/limits/USD/max"),
            ({"USD": {"max": "5"}, "JPY": {"max": "0.1"}}, "amount-precision", "/limits/JPY/max"),
            ({"JPY": {}, "USD": {"min": "2", "max": "1"}}, "validation-failed", "/limits/USD"),
            ({"USD": {"min": "1.00"}}, "insufficient-funds", "/limits/USD/min"),
            ({"USD": {"max": "-1.00"}}, "limit-exceeded", "/limits/USD/max"),
        ],
    )
    def test_refuses_limits_it_cannot_keep(self, shop: Shop, limits: object, code: str, pointer: str) -> None:
        before = shop.trace()

        problem = shop.refused(code, "POST", "accounts", {"path": "assets:new", "type": "asset", "limits": limits})

        assert problem["errors"] == [{"pointer": pointer, "detail": problem["detail"]}]
        changed = shop.refused(code, "PATCH", f"accounts/{CASH}", {"limits": limits})
        assert changed["errors"][0]["pointer"] == pointer
        assert shop.trace() == before

    @pytest.mark.parametrize(
        "path", ["", ":", "a:", ":a", "a::b", " a", "a ", "a  b", "a: b", "a/b", "a\n", "a\u200bb", "a\x7f", "x" * 251]
    )
    def test_refuses_what_is_no_path(self, shop: Shop, path: str) -> None:
        problem = shop.refused("validation-failed", "POST", "accounts", {"path": path, "type": "asset"})

        assert problem["errors"][0]["pointer"] == "/path"

    @pytest.mark.parametrize("path", ["a", "資産:現金", "aktiva:Müller's Kasse", "संपत्ति:नकद", "a.b_c-d(e)+f&g"])
    def test_takes_names_of_every_script(self, shop: Shop, path: str) -> None:
        shop.must(201, "POST", "accounts", {"path": path, "type": "asset"})

        assert shop.must(200, "GET", f"accounts/{quote(path)}")["path"] == path

    def test_names_the_types_there_are(self, shop: Shop) -> None:
        problem = shop.refused("validation-failed", "POST", "accounts", {"path": "a", "type": "assets"})

        assert problem["errors"] == [
            {"pointer": "/type", "detail": "Expected one of asset, liability, equity, income, expense"}
        ]


class TestListAccounts:
    def test_pages_by_path_within_prefix_and_type(self, shop: Shop) -> None:
        for path in ("assets:bank:b", "assets:bank:a", "assets:banking", "assets:bank"):
            shop.must(201, "POST", "accounts", {"path": path, "type": "asset"})

        first = shop.must(200, "GET", "accounts?prefix=assets:bank:&limit=1")
        second = shop.must(200, "GET", f"accounts?prefix=assets:bank:&limit=1&after={first['next']}")
        incomes = shop.must(200, "GET", "accounts?type=income")

        assert [each["path"] for each in (*first["items"], *second["items"])] == ["assets:bank:a", "assets:bank:b"]
        assert second["next"] is None
        assert [each["path"] for each in incomes["items"]] == [SALES]

    def test_is_in_the_order_of_code_points_on_every_database(self, shop: Shop) -> None:
        paths = ["x:a", "x:B", "x:Z", "x:é", "x:z", "x-y", "x.y", "x y", "X", "x:a:b", "x:資産", "x:\U0001f4b0"]
        for path in paths:
            shop.must(201, "POST", "accounts", {"path": path, "type": "asset"})

        listed, after = [], ""
        while after is not None:
            page = shop.must(200, "GET", f"accounts?prefix=x:&limit=1{after and f'&after={after}'}")
            listed += [each["path"] for each in page["items"]]
            after = page["next"]

        assert listed == sorted(path for path in paths if path.startswith("x:"))


class TestChangeAccount:
    def test_changes_what_is_named_and_leaves_the_rest(self, shop: Shop) -> None:
        shop.must(200, "PATCH", f"accounts/{CASH}", {"metadata": {"room": "1"}, "limits": {"JPY": {"max": "5"}}})

        changed = shop.must(200, "PATCH", f"accounts/{CASH}", {"limits": {"USD": None}})

        assert (changed["limits"], changed["metadata"], changed["closed"]) == (
            {"JPY": {"max": "5"}},
            {"room": "1"},
            False,
        )
        assert shop.must(200, "GET", f"accounts/{CASH}") == changed

    def test_is_refused_after_another_change(self, shop: Shop) -> None:
        seen = shop.call("GET", f"accounts/{CASH}").headers["ETag"]
        shop.must(200, "PATCH", f"accounts/{CASH}", {"metadata": {"by": "another"}}, If_Match=seen)

        shop.refused("precondition-failed", "PATCH", f"accounts/{CASH}", {"closed": True}, If_Match=seen)

        assert shop.must(200, "GET", f"accounts/{CASH}")["closed"] is False

    def test_is_not_refused_after_a_posting(self, shop: Shop) -> None:
        seen = shop.call("GET", f"accounts/{CASH}").headers["ETag"]
        shop.must(201, "POST", "transactions", sale())

        assert shop.must(200, "PATCH", f"accounts/{CASH}", {"closed": True}, If_Match=seen)["closed"] is True

    @pytest.mark.parametrize("tag", ['"nonsense"', 'W/"1-00000000"', '"999-00000000"', "1"])
    def test_is_refused_with_a_tag_of_no_version(self, shop: Shop, tag: str) -> None:
        shop.refused("precondition-failed", "PATCH", f"accounts/{CASH}", {"closed": True}, If_Match=tag)

    def test_closes_and_opens_again(self, shop: Shop) -> None:
        shop.must(200, "PATCH", f"accounts/{CASH}", {"closed": True})
        shop.refused("account-closed", "POST", "transactions", sale())

        shop.must(200, "PATCH", f"accounts/{CASH}", {"closed": False})

        shop.must(201, "POST", "transactions", sale())

    def test_refuses_limits_that_the_balance_breaks(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("10.00"))

        shop.refused("limit-exceeded", "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"max": "9.99"}}})
        shop.refused("insufficient-funds", "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"min": "10.01"}}})

        assert shop.must(200, "GET", f"accounts/{CASH}")["limits"] == {"USD": {"min": "0.00"}}

    def test_says_that_there_is_none(self, shop: Shop) -> None:
        shop.refused("not-found", "PATCH", "accounts/assets:nowhere", {"closed": True})


class TestEntityTag:
    def test_changes_with_the_balance(self, shop: Shop) -> None:
        seen = shop.call("GET", f"accounts/{CASH}").headers["ETag"]
        assert shop.call("GET", f"accounts/{CASH}", If_None_Match=seen).status_int == 304

        shop.must(201, "POST", "transactions", sale())

        fresh = shop.call("GET", f"accounts/{CASH}", If_None_Match=seen)
        assert (fresh.status_int, fresh.json["balances"]["USD"]["balance"]) == (200, "12.50")


class TestBalances:
    def test_are_in_the_normal_direction_of_the_account(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("100.00"))
        shop.must(201, "POST", "transactions", refund("40.00"))

        cash = shop.must(200, "GET", f"accounts/{CASH}")["balances"]["USD"]
        sales = shop.must(200, "GET", f"accounts/{SALES}")["balances"]["USD"]

        assert (cash["debits"], cash["credits"], cash["balance"], cash["available"]) == (
            "100.00",
            "40.00",
            "60.00",
            "60.00",
        )
        assert (sales["debits"], sales["credits"], sales["balance"]) == ("40.00", "100.00", "60.00")
        assert (cash["pending_debits"], cash["pending_credits"]) == ("0.00", "0.00")
