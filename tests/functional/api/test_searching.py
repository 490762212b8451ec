"""Transactions found by their status, and as they were known; and what a search refuses, naming the parameter."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale


def references(shop: Shop, query: str) -> list[str | None]:
    return [each["reference"] for each in shop.must(200, "GET", f"transactions?{query}")["items"]]


def held(shop: Shop, reference: str, **more: Any) -> str:
    """Record a hold of ten dollars and return its id."""
    recorded = shop.must(201, "POST", "transactions", sale("10.00", pending=True, reference=reference, **more))
    return str(recorded["id"])


def now() -> str:
    """Return a recorded time between what was recorded and what will be."""
    at = datetime.now(UTC)
    time.sleep(0.001)
    return quote(at.isoformat())


@pytest.fixture
def holds(shop: Shop) -> dict[str, str]:
    """Record a hold for everything that becomes of one, and return their ids."""
    shop.must(201, "POST", "transactions", sale(reference="sale"))
    made = {name: held(shop, name) for name in ("waiting", "part", "whole", "final", "voided", "part-voided")}
    part = {"postings": sale("4.00")["postings"]}
    shop.must(201, "POST", f"transactions/{made['part']}/post", {**part, "reference": "of-part"})
    shop.must(201, "POST", f"transactions/{made['whole']}/post", {"reference": "of-whole"})
    shop.must(201, "POST", f"transactions/{made['final']}/post", {**part, "reference": "of-final", "final": True})
    shop.must(201, "POST", f"transactions/{made['part-voided']}/post", {**part, "reference": "of-part-voided"})
    for name in ("voided", "part-voided"):
        shop.must(200, "POST", f"transactions/{made[name]}/void")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made["over"] = held(shop, "over", expires_at=soon.isoformat())
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    return made


class TestByStatus:
    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("pending", {"waiting", "part"}),
            ("posted", {"sale", "whole", "final", "of-part", "of-whole", "of-final", "of-part-voided"}),
            ("voided", {"voided", "part-voided"}),
            ("expired", {"over"}),
        ],
    )
    @pytest.mark.usefixtures("holds")
    def test_finds_what_shows_it(self, shop: Shop, status: str, found: set[str]) -> None:
        items = shop.must(200, "GET", f"transactions?status={status}")["items"]

        assert {each["reference"] for each in items} == found
        assert {each["status"] for each in items} == {status}

    @pytest.mark.parametrize("status", ["pending", "posted", "voided", "expired"])
    @pytest.mark.usefixtures("holds")
    def test_goes_with_the_other_parts_and_with_pages(self, shop: Shop, status: str) -> None:
        every = references(shop, f"status={status}")

        assert references(shop, f"status={status}&account={CASH}&currency=USD&to=2999-01-01") == every
        assert references(shop, f"status={status}&currency=USD&amount_min=11.00") == (
            ["sale"] if status == "posted" else []
        )
        found, following = [], f"transactions?status={status}&limit=1"
        while following:
            page = shop.call("GET", following)
            found += [each["reference"] for each in page.json["items"]]
            following = page.headers.get("Link", "").partition(">")[0].lstrip("<")
        assert found == every


class TestAsKnown:
    def test_has_what_was_recorded_by_then_with_the_status_of_then(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale(reference="first"))
        hold = held(shop, "hold")
        before = now()
        seen = shop.must(200, "GET", "transactions")["items"]
        part = {"postings": sale("4.00")["postings"], "reference": "part"}
        shop.must(201, "POST", f"transactions/{hold}/post", part)
        between = now()
        seen_between = shop.must(200, "GET", "transactions")["items"]
        shop.must(201, "POST", f"transactions/{hold}/post", {"reference": "rest"})
        shop.must(201, "POST", f"transactions/{seen[1]['id']}/reverse", {"reference": "undone"})

        assert shop.must(200, "GET", f"transactions?known_at={before}")["items"] == seen
        assert shop.must(200, "GET", f"transactions?known_at={between}")["items"] == seen_between
        assert [each["postings"][0].get("remaining") for each in seen_between] == [None, "6.00", None]
        assert references(shop, f"known_at={before}&status=pending") == ["hold"]
        assert references(shop, f"known_at={between}&status=posted") == ["part", "first"]
        assert references(shop, "status=posted") == ["undone", "rest", "part", "hold", "first"]
        assert shop.must(200, "GET", "transactions?reference=first")["items"][0]["reversed_by"] is not None

    def test_goes_with_every_other_part(self, shop: Shop) -> None:
        wanted = {"description": "Rent paid", "metadata": {"kind": "rent"}, "effective_at": "2026-01-31"}
        shop.must(201, "POST", "transactions", sale(reference="known", **wanted))
        then = now()
        shop.must(201, "POST", "transactions", sale(reference="later", **wanted))
        parts = [
            f"account={CASH}", "subtree=assets", "currency=USD", "currency=USD&amount_min=12.50&amount_max=12.50",
            "from=2026-01-31&to=2026-02-01", "recorded_from=2020-01-01", "status=posted", "text=rent",
            "metadata.kind=rent", "&".join([f"account={CASH}", "text=rent", "from=2026-01-01"]),
        ]  # fmt: skip

        for part in parts:
            assert references(shop, part) == ["later", "known"], part
            assert references(shop, f"{part}&known_at={then}") == ["known"], part
        assert references(shop, f"reference=later&known_at={then}") == []

    def test_pages_keep_the_time(self, shop: Shop) -> None:
        for number in range(3):
            shop.must(201, "POST", "transactions", sale(reference=f"sale-{number}"))
        first = shop.call("GET", f"transactions?limit=2&known_at={now()}")
        shop.must(201, "POST", "transactions", sale(reference="later"))

        following = first.headers["Link"].partition(">")[0].lstrip("<")

        assert [each["reference"] for each in first.json["items"]] == ["sale-2", "sale-1"]
        assert references(shop, following.partition("?")[2]) == ["sale-0"]
        assert references(shop, f"after={first.json['next']}") == ["sale-0"]

    def test_of_a_date_is_at_its_end(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale(reference="today"))
        today = datetime.now(UTC).date()

        assert references(shop, f"known_at={today}") == ["today"]
        assert references(shop, f"known_at={today - timedelta(days=1)}") == []

    def test_prices_are_those_recorded_by_then(self, shop: Shop) -> None:
        price = {"currency": "EUR", "quote": "USD", "price": "1.1", "effective_at": "2026-01-01"}
        shop.must(201, "POST", "prices", {"prices": [price]})
        then = now()
        shop.must(201, "POST", "prices", {"prices": [{**price, "price": "1.2"}]})

        def listed(query: str) -> list[str]:
            return [each["price"] for each in shop.must(200, "GET", f"prices{query}")["items"]]

        assert listed("") == ["1.1", "1.2"]
        assert listed(f"?known_at={then}") == ["1.1"]
        assert listed(f"?known_at={then}&from=2026-01-01&to=2026-01-02&currency=EUR&quote=USD") == ["1.1"]
        assert listed("?known_at=2020-01-01") == []

    def test_a_statement_is_of_what_was_posted_by_then(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("3.00"))
        then = now()
        shop.must(201, "POST", "transactions", refund("1.00", effective_at="2026-01-01T00:00:01Z"))
        shop.must(201, "POST", "transactions", sale("5.00", effective_at="2026-01-01"))

        lines = shop.must(200, "GET", f"accounts/{SALES}/postings?known_at={then}")["items"]

        assert [each["balance"] for each in lines] == ["3.00"]


REFUSED = [
    ("account=a::b", "account"),
    ("account=", "account"),
    ("subtree=assets:", "subtree"),
    ("subtree=%00", "subtree"),
    ("reference=", "reference"),
    ("reference=" + "x" * 201, "reference"),
    ("from=yesterday", "from"),
    ("to=2026-02-30", "to"),
    ("from=2026-02-02&to=2026-02-01", "from"),
    ("recorded_from=2026-01-01T00:00:00", "recorded_from"),
    ("recorded_to=x", "recorded_to"),
    ("recorded_from=2026-02-02&recorded_to=2026-02-01", "recorded_from"),
    ("known_at=then", "known_at"),
    ("known_at=", "known_at"),
    ("status=done", "status"),
    ("status=", "status"),
    ("currency=usd", "currency"),
    ("currency=ZZZ&amount_min=1", "currency"),
    ("amount_min=1", "amount_min"),
    ("amount_max=1", "amount_max"),
    ("currency=USD&amount_min=-1", "amount_min"),
    ("currency=USD&amount_min=1,5", "amount_min"),
    ("currency=USD&amount_max=1.005", "amount_max"),
    ("currency=USD&amount_max=99999999999999999999", "amount_max"),
    ("currency=USD&amount_min=2&amount_max=1", "amount_min"),
    ("text=", "text"),
    ("text=%2C+-+%21", "text"),
    ("text=" + "x" * 201, "text"),
    ("text=a%00", "text"),
    ("metadata.=1", "metadata"),
    ("metadata.a=" + "x" * 1001, "metadata"),
    (f"metadata.{'k' * 101}=1", "metadata"),
    ("metadata=1", "metadata"),
    ("metadata.a=1&metadata.a=2", "metadata.a"),
    ("account=a&account=b", "account"),
    ("limit=0", "limit"),
    ("limit=x", "limit"),
    ("after=x", "after"),
    ("at=2026-01-01", "at"),
    ("Status=posted", "Status"),
    ("price.EUR=1", "price"),
]


class TestRefusals:
    @pytest.mark.parametrize(("query", "parameter"), REFUSED, ids=lambda value: value[:40])
    def test_name_the_parameter(self, shop: Shop, query: str, parameter: str) -> None:
        problem = shop.refused("bad-parameter", "GET", f"transactions?{query}")

        assert problem["status"] == 400
        assert f"'{parameter}" in problem["detail"], problem
        assert "errors" not in problem

    def test_of_every_parameter_is_here(self, shop: Shop) -> None:
        document = shop.must(200, "GET", "/openapi.json")
        operation = document["paths"]["/v1/ledgers/{ledger}/transactions"]["get"]
        taken = {each["name"].partition(".")[0] for each in operation["parameters"] if each["in"] == "query"}

        assert taken <= {parameter.partition(".")[0] for _, parameter in REFUSED}
