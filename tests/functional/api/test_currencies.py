"""Declaring currencies and finding them."""

from __future__ import annotations

import pytest

from tests.functional.api.shop import Shop


class TestDeclareCurrency:
    def test_declares_once_and_says_the_same_again(self, shop: Shop) -> None:
        first = shop.call("PUT", "currencies/HOOL", {"exponent": 4})
        second = shop.call("PUT", "currencies/HOOL", {"exponent": 4})

        assert (first.status_int, second.status_int) == (201, 200)
        assert first.json == second.json == {"code": "HOOL", "exponent": 4}
        assert shop.must(200, "GET", first.headers["Location"].removeprefix("http://localhost")) == first.json

    @pytest.mark.parametrize("code", ["HOOL", "USD"])
    def test_refuses_another_exponent_than_the_one_known(self, shop: Shop, code: str) -> None:
        shop.call("PUT", "currencies/HOOL", {"exponent": 4})

        shop.refused("already-exists", "PUT", f"currencies/{code}", {"exponent": 3})

    @pytest.mark.parametrize("exponent", [-1, 19, 2.5, "2", None, True, 10**30])
    def test_refuses_what_is_no_exponent(self, shop: Shop, exponent: object) -> None:
        problem = shop.refused("validation-failed", "PUT", "currencies/HOOL", {"exponent": exponent})

        assert problem["errors"][0]["pointer"] == "/exponent"

    @pytest.mark.parametrize("code", ["hool", "1HOOL", "HOOL%00", "H%20L", "H" * 25])
    def test_refuses_what_is_no_code(self, shop: Shop, code: str) -> None:
        shop.refused("bad-parameter", "PUT", f"currencies/{code}", {"exponent": 2})


class TestListCurrencies:
    def test_pages_by_code(self, shop: Shop) -> None:
        for code in ("VBMPX", "HOOL", "ITOT"):
            shop.must(201, "PUT", f"currencies/{code}", {"exponent": 4})

        first = shop.must(200, "GET", "currencies?limit=2")
        second = shop.must(200, "GET", f"currencies?limit=2&after={first['next']}")

        declared = [each["code"] for each in (*first["items"], *second["items"])]
        assert [code for code in declared if code != "USD"] == ["HOOL", "ITOT", "VBMPX"]
        assert second["next"] is None


class TestGetCurrency:
    def test_knows_those_of_iso_4217(self, shop: Shop) -> None:
        assert shop.must(200, "GET", "currencies/JPY") == {"code": "JPY", "exponent": 0}

    def test_says_that_there_is_none(self, shop: Shop) -> None:
        shop.refused("not-found", "GET", "currencies/NONE")
