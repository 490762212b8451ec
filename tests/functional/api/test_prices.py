from __future__ import annotations

from typing import Any

import pytest

from tests.functional.api.shop import CASH, SALES, Shop


def price(text: str, day: str = "2026-01-01", currency: str = "EUR", quote: str = "USD") -> dict[str, Any]:
    return {"currency": currency, "quote": quote, "price": text, "effective_at": day}


def record(shop: Shop, *prices: dict[str, Any]) -> list[dict[str, Any]]:
    return shop.must(201, "POST", "prices", {"prices": list(prices)})["items"]


def listed(shop: Shop, query: str = "") -> list[tuple[str, str, str, str]]:
    items = shop.must(200, "GET", f"prices{query}")["items"]
    return [(item["currency"], item["quote"], item["effective_at"][:10], item["price"]) for item in items]


def worth(shop: Shop, query: str = "", currency: str = "USD") -> str:
    """Return what the shop's hundred euros are worth."""
    report = shop.must(200, "GET", f"reports/balance-sheet?{query}&value={currency}".replace("?&", "?"))
    return report["assets"]["total"][currency]


@pytest.fixture
def euros(shop: Shop) -> Shop:
    """Return a shop with a hundred euros since the first of January."""
    postings = [
        {"account": CASH, "debit": "100.00", "currency": "EUR"},
        {"account": SALES, "credit": "100.00", "currency": "EUR"},
    ]
    shop.must(201, "POST", "transactions", {"postings": postings, "effective_at": "2026-01-01"})
    return shop


class TestRecord:
    def test_answers_with_the_digits_that_were_sent(self, shop: Shop) -> None:
        (recorded,) = record(shop, price("1.0850"))

        assert recorded.pop("recorded_at")
        assert recorded == {
            "currency": "EUR", "quote": "USD", "price": "1.0850", "effective_at": "2026-01-01T00:00:00Z",
        }  # fmt: skip

    def test_changes_nothing_where_it_is_known_already(self, shop: Shop) -> None:
        first = record(shop, price("1.0850"))

        assert record(shop, price("1.085"), price("1.0850")) == [*first, *first]
        assert len(listed(shop)) == 1

    def test_keeps_what_is_corrected(self, shop: Shop) -> None:
        for text in ("1.1", "1.2", "1.1"):
            record(shop, price(text))

        assert [each[3] for each in listed(shop)] == ["1.1", "1.2", "1.1"]

    def test_tells_of_each_that_is_new(self, shop: Shop) -> None:
        record(shop, price("1.10"), price("1.1"), price("2", "2026-01-02"))
        record(shop, price("1.10"))

        told = shop.must(200, "GET", "events?types=price.recorded")["items"]

        assert [event["data"] for event in told] == [
            {"currency": "EUR", "quote": "USD", "price": text, "effective_at": f"2026-01-0{day}T00:00:00Z"}
            for text, day in (("1.10", 1), ("2", 2))
        ]

    def test_is_done_once_with_a_key(self, shop: Shop) -> None:
        body = {"prices": [price("1.1")]}
        first = shop.must(201, "POST", "prices", body, Idempotency_Key="k")
        shop.must(201, "POST", "prices", {"prices": [price("1.2")]})

        assert shop.must(201, "POST", "prices", body, Idempotency_Key="k") == first
        assert [each[3] for each in listed(shop)] == ["1.1", "1.2"]

    @pytest.mark.parametrize(
        ("code", "pointer", "body"),
        [
            ("validation-failed", "/prices/0/price", price("-1")),
            ("validation-failed", "/prices/0/price", price("1e3")),
            ("validation-failed", "/prices/0/quote", price("1", quote="EUR")),
            ("unknown-currency", "/prices/0/currency", price("1", currency="NOPE")),
            ("unknown-currency", "/prices/0/quote", price("1", quote="NOPE")),
        ],
    )
    def test_refuses_what_makes_no_sense(self, shop: Shop, code: str, pointer: str, body: dict[str, Any]) -> None:
        problem = shop.refused(code, "POST", "prices", {"prices": [body]})

        assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert listed(shop) == []

    def test_records_all_or_none(self, shop: Shop) -> None:
        shop.refused("unknown-currency", "POST", "prices", {"prices": [price("1"), price("1", currency="NOPE")]})

        assert listed(shop) == []

    @pytest.mark.parametrize("count", [0, 1001])
    def test_takes_one_to_a_thousand(self, shop: Shop, count: int) -> None:
        shop.refused("validation-failed", "POST", "prices", {"prices": [price("1")] * count})


class TestList:
    def test_goes_by_currency_quote_and_time_in_pages(self, shop: Shop) -> None:
        record(shop, price("3", "2026-01-03"), price("1"), price("9", quote="CHF"), price("5", currency="CHF"))
        expected = [
            ("CHF", "USD", "2026-01-01", "5"),
            ("EUR", "CHF", "2026-01-01", "9"),
            ("EUR", "USD", "2026-01-01", "1"),
            ("EUR", "USD", "2026-01-03", "3"),
        ]

        assert listed(shop) == expected
        found, address = [], f"{shop.path}/prices?limit=1"
        while address:
            answer = shop.call("GET", address)
            found += answer.json["items"]
            address = answer.headers.get("Link", "").partition(">")[0].lstrip("<")
        assert [each["price"] for each in found] == [each[3] for each in expected]

    def test_can_be_narrowed(self, shop: Shop) -> None:
        record(shop, price("1"), price("2", "2026-01-02"), price("3", quote="CHF"))

        assert [each[3] for each in listed(shop, "?quote=CHF")] == ["3"]
        assert [each[3] for each in listed(shop, "?currency=EUR&from=2026-01-02")] == ["2"]
        assert [each[3] for each in listed(shop, "?quote=USD&to=2026-01-02")] == ["1"]

    def test_refuses_a_cursor_of_another_list(self, shop: Shop) -> None:
        shop.refused("bad-parameter", "GET", "prices?after=WyJhY2NvdW50cyIsImEiXQ")


class TestReports:
    def test_use_the_last_price_at_or_before_their_time(self, euros: Shop) -> None:
        record(euros, price("1.10", "2026-01-10"), price("1.20", "2026-01-20T12:00:00Z"))

        assert worth(euros, "at=2026-01-19") == "110.00"
        assert worth(euros, "at=2026-01-20T11:59:59.999999Z") == "110.00"
        assert worth(euros, "at=2026-01-20T12:00:00Z") == "120.00"
        problem = euros.refused("missing-price", "GET", "reports/balance-sheet?value=USD&at=2026-01-09")
        assert "EUR in USD at or before 2026-01-09T23:59:59.999999+00:00" in problem["detail"]

    def test_show_the_prices_they_used(self, euros: Shop) -> None:
        record(euros, price("1.1000"))

        assert euros.must(200, "GET", "reports/trial-balance?value=USD")["value"]["prices"] == [
            {"currency": "EUR", "quote": "USD", "price": "1.1000", "effective_at": "2026-01-01T00:00:00Z"}
        ]

    def test_of_a_period_use_the_last_price_before_its_end(self, euros: Shop) -> None:
        record(euros, price("1.10"), price("1.20", "2026-02-01"))

        for end, expected in (("2026-02-01", "110.00"), ("2026-02-02", "120.00")):
            report = euros.must(200, "GET", f"reports/income-statement?from=2026-01-01&to={end}&value=USD")
            assert report["net"] == {"USD": expected}

    def test_turn_a_price_around_where_there_is_none_in_their_direction(self, euros: Shop) -> None:
        record(euros, price("0.8", currency="USD", quote="EUR"))

        assert worth(euros) == "125.00"
        record(euros, price("1.1", "2025-01-01"))
        assert worth(euros) == "110.00"

    def test_chain_no_prices(self, euros: Shop) -> None:
        record(euros, price("0.95", quote="CHF"), price("1.1", currency="CHF"))

        euros.refused("missing-price", "GET", "reports/balance-sheet?value=USD")
        assert worth(euros, currency="CHF") == "95.00"

    def test_prefer_the_price_that_is_given(self, euros: Shop) -> None:
        record(euros, price("1.1"))

        assert worth(euros, "price.EUR=2") == "200.00"

    def test_use_the_price_as_it_was_known(self, euros: Shop) -> None:
        (first,) = record(euros, price("1.1"))
        record(euros, price("1.2"))

        assert worth(euros) == "120.00"
        assert worth(euros, f"known_at={first['recorded_at']}") == "110.00"

    def test_take_no_price_of_another_ledger(self, euros: Shop) -> None:
        other = Shop(euros.app).open()
        record(other, price("1.1"))

        euros.refused("missing-price", "GET", "reports/balance-sheet?value=USD")
