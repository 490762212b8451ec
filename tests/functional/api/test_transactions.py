"""Recording transactions and finding them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale

OVERPRECISE_CREDIT = {"postings": [sale()["postings"][0], sale("12.505")["postings"][1]]}


class TestRecord:
    def test_answers_with_the_resulting_balances_and_the_address(self, shop: Shop) -> None:
        wanted = sale(
            "12.5", reference="order-1", description="Sale", metadata={"order": "1"}, effective_at="2026-01-31"
        )

        recorded = shop.call("POST", "transactions", wanted)

        body = recorded.json
        assert recorded.status_int == 201
        assert body.pop("recorded_at").endswith("Z")
        assert recorded.headers["Location"].endswith(f"{shop.path}/transactions/{body.pop('id')}")
        right_after = {"balance": "12.50", "available": "12.50", "version": 1}
        assert body == {
            "status": "posted",
            "reference": "order-1",
            "description": "Sale",
            "metadata": {"order": "1"},
            "effective_at": "2026-01-31T00:00:00Z",
            **dict.fromkeys(("expires_at", "pending_of", "reverses", "reversed_by")),
            "posted_by": [],
            "postings": [
                {"account": CASH, "currency": "USD", "debit": "12.50", **right_after},
                {"account": SALES, "currency": "USD", "credit": "12.50", **right_after},
            ],
        }

    def test_can_be_read_again_at_its_address(self, shop: Shop) -> None:
        recorded = shop.call("POST", "transactions", sale())

        assert shop.must(200, "GET", recorded.headers["Location"].removeprefix("http://localhost")) == recorded.json

    @pytest.mark.commits
    def test_outlives_the_request_and_keeps_the_books_right(self, lasting_shop: Shop) -> None:
        lasting_shop.must(201, "POST", "transactions", sale())
        lasting_shop.refused("insufficient-funds", "POST", "transactions", refund("12.51"))

        assert lasting_shop.cash() == "12.50"
        assert lasting_shop.must(200, "GET", "verify")["holds"] is True

    def test_takes_several_currencies_at_once(self, shop: Shop) -> None:
        shop.must(201, "PUT", "currencies/HOOL", {"exponent": 4})
        postings = [
            {"account": CASH, "debit": "0.0001", "currency": "HOOL"},
            {"account": SALES, "credit": "0.0001", "currency": "HOOL"},
            {"account": CASH, "debit": "7", "currency": "JPY"},
            {"account": SALES, "credit": "7", "currency": "JPY"},
        ]

        recorded = shop.must(201, "POST", "transactions", {"postings": postings})

        assert [each["balance"] for each in recorded["postings"]] == ["0.0001", "0.0001", "7", "7"]

    def test_takes_the_largest_amount_exactly(self, shop: Shop) -> None:
        recorded = shop.must(201, "POST", "transactions", sale("92233720368547758.07"))

        assert recorded["postings"][0]["debit"] == "92233720368547758.07"
        shop.refused("amount-out-of-range", "POST", "transactions", sale("0.01"))

    @pytest.mark.parametrize(
        ("wanted", "code", "pointer"),
        [
            (sale("12.505"), "amount-precision", "/postings/0/debit"),
            (sale("9" * 40), "amount-out-of-range", "/postings/0/debit"),
            (OVERPRECISE_CREDIT, "amount-precision", "/postings/1/credit"),
            (
                {"postings": [*sale()["postings"][:1], *sale("1.00")["postings"][1:]]},
                "unbalanced-transaction",
                "/postings",
            ),
            (refund("0.02"), "insufficient-funds", "/postings/1"),
        ],
    )
    def test_refuses_and_leaves_no_trace(self, shop: Shop, wanted: Any, code: str, pointer: str) -> None:
        before = shop.trace()

        problem = shop.refused(code, "POST", "transactions", wanted)

        assert problem["errors"] == [{"pointer": pointer, "detail": problem["detail"]}]
        in_batch = shop.refused(code, "POST", "transactions/batch", {"transactions": [sale("0.01"), wanted]})
        assert (in_batch["index"], in_batch["errors"][0]["pointer"]) == (1, f"/transactions/1{pointer}")
        assert shop.trace() == before

    def test_refuses_an_account_it_does_not_have(self, shop: Shop) -> None:
        wanted = sale()
        wanted["postings"][1]["account"] = "income:nowhere"

        problem = shop.refused("unknown-account", "POST", "transactions", wanted)

        assert problem["errors"][0]["pointer"] == "/postings/1/account"
        assert "income:nowhere" in problem["detail"]

    def test_refuses_a_currency_nobody_knows(self, shop: Shop) -> None:
        wanted = sale()
        for posting in wanted["postings"]:
            posting["currency"] = "XQZ"

        problem = shop.refused("unknown-currency", "POST", "transactions", wanted)

        assert problem["errors"][0]["pointer"] == "/postings/0/currency"

    def test_refuses_a_currency_that_the_account_does_not_take(self, shop: Shop) -> None:
        shop.must(201, "POST", "accounts", {"path": "assets:yen", "type": "asset", "currencies": ["JPY"]})
        wanted = sale()
        wanted["postings"][0]["account"] = "assets:yen"

        problem = shop.refused("currency-not-allowed", "POST", "transactions", wanted)

        assert problem["errors"][0]["pointer"] == "/postings/0/currency"

    def test_refuses_to_exceed_a_maximum(self, shop: Shop) -> None:
        shop.must(200, "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"max": "10.00"}}})

        shop.refused("limit-exceeded", "POST", "transactions", sale("10.01"))

    def test_names_the_transaction_that_has_the_reference(self, shop: Shop) -> None:
        first = shop.must(201, "POST", "transactions", sale(reference="order-1"))

        problem = shop.refused("duplicate-reference", "POST", "transactions", sale(reference="order-1"))

        assert problem["transaction_id"] == first["id"]
        assert problem["errors"][0]["pointer"] == "/reference"


class TestDryRun:
    def test_answers_as_if_and_records_nothing(self, shop: Shop) -> None:
        before = shop.trace()

        tried = shop.must(200, "POST", "transactions?dry_run=true", sale(reference="order-1"))

        assert tried["postings"][0]["balance"] == "12.50"
        assert shop.trace() == before
        shop.must(201, "POST", "transactions?dry_run=false", sale(reference="order-1"))

    def test_refuses_what_recording_would(self, shop: Shop) -> None:
        shop.refused("insufficient-funds", "POST", "transactions?dry_run=true", refund())

    def test_does_not_use_the_key_up(self, shop: Shop) -> None:
        shop.must(200, "POST", "transactions?dry_run=true", sale(), Idempotency_Key="k")

        recorded = shop.call("POST", "transactions", sale(), Idempotency_Key="k")

        assert recorded.status_int == 201
        assert "Idempotency-Replayed" not in recorded.headers

    @pytest.mark.parametrize("prefer", ["", "return=representation"])
    def test_of_a_batch_answers_as_if_and_records_nothing(self, shop: Shop, prefer: str) -> None:
        wanted = {"transactions": [sale(reference="order-1"), refund("2.50", reference="order-2")]}
        before = shop.trace()

        tried = shop.must(200, "POST", "transactions/batch?dry_run=true", wanted, Idempotency_Key="k", Prefer=prefer)

        assert [each["reference"] for each in tried["items"]] == ["order-1", "order-2"]
        if prefer:
            assert [each["postings"][0]["balance"] for each in tried["items"]] == ["12.50", "10.00"]
        assert shop.trace() == before
        recorded = shop.call("POST", "transactions/batch", wanted, Idempotency_Key="k", Prefer=prefer)
        assert (recorded.status_int, "Idempotency-Replayed" in recorded.headers) == (201, False)

    def test_of_a_batch_refuses_what_recording_would(self, shop: Shop) -> None:
        wanted = {"transactions": [sale(), refund("20")]}

        assert shop.refused("insufficient-funds", "POST", "transactions/batch?dry_run=true", wanted)["index"] == 1


class TestBatch:
    def test_answers_with_ids_in_order(self, shop: Shop) -> None:
        wanted = [sale(reference=f"order-{number}") for number in range(3)]

        recorded = shop.must(201, "POST", "transactions/batch", {"transactions": wanted})

        assert [each["reference"] for each in recorded["items"]] == ["order-0", "order-1", "order-2"]
        found = shop.must(200, "GET", "transactions")["items"]
        assert [each["id"] for each in found] == [each["id"] for each in reversed(recorded["items"])]
        assert shop.cash() == "37.50"

    def test_answers_with_whole_transactions_if_preferred(self, shop: Shop) -> None:
        preference = "respond-async, return=representation"

        recorded = shop.call("POST", "transactions/batch", {"transactions": [sale(), sale()]}, Prefer=preference)

        assert [each["postings"][0]["balance"] for each in recorded.json["items"]] == ["12.50", "25.00"]
        assert recorded.headers["Preference-Applied"] == "return=representation"

    def test_records_none_if_one_is_refused_and_names_it(self, shop: Shop) -> None:
        before = shop.trace()

        problem = shop.refused(
            "insufficient-funds", "POST", "transactions/batch", {"transactions": [sale(), refund("20")]}
        )

        assert problem["index"] == 1
        assert problem["errors"][0]["pointer"] == "/transactions/1/postings/1"
        assert shop.trace() == before

    def test_points_at_what_does_not_fit_the_schema(self, shop: Shop) -> None:
        wanted = [sale(), sale()]
        wanted[1]["postings"][0]["debit"] = 12.5

        problem = shop.refused("validation-failed", "POST", "transactions/batch", {"transactions": wanted})

        assert problem["errors"][0]["pointer"] == "/transactions/1/postings/0/debit"

    def test_refuses_more_than_ten_thousand(self, shop: Shop) -> None:
        problem = shop.refused("validation-failed", "POST", "transactions/batch", {"transactions": [sale()] * 10_001})

        assert problem["errors"][0]["pointer"] == "/transactions"

    def test_refuses_more_than_a_hundred_thousand_postings(self, shop: Shop) -> None:
        largest = {"postings": sale()["postings"] * 500}

        problem = shop.refused(
            "validation-failed", "POST", "transactions/batch", {"transactions": [largest] * 100 + [sale()]}
        )

        assert problem["index"] == 100
        assert problem["errors"][0]["pointer"] == "/transactions/100/postings"


class TestList:
    @pytest.fixture
    def busy_shop(self, shop: Shop) -> Shop:
        shop.must(201, "POST", "accounts", {"path": "expenses:rent", "type": "expense"})
        rent = refund("5.00", reference="rent", effective_at="2026-02-01", metadata={"kind": "rent", "a.b": "c d"})
        rent["postings"][0]["account"] = "expenses:rent"
        shop.must(
            201, "POST", "transactions", sale(reference="order-1", effective_at="2026-01-31", metadata={"kind": "sale"})
        )
        shop.must(201, "POST", "transactions", sale(reference="order-2", effective_at="2026-02-01T00:00:01Z"))
        shop.must(201, "POST", "transactions", rent)
        return shop

    @pytest.mark.parametrize(
        ("query", "references"),
        [
            ("", ["rent", "order-2", "order-1"]),
            ("?account=expenses:rent", ["rent"]),
            (f"?account={SALES}", ["order-2", "order-1"]),
            ("?account=no:such", []),
            ("?reference=order-2", ["order-2"]),
            ("?from=2026-02-01", ["rent", "order-2"]),
            ("?to=2026-02-01", ["order-1"]),
            ("?from=2026-01-31&to=2026-02-01T00:00:01Z", ["rent", "order-1"]),
            ("?status=posted", ["rent", "order-2", "order-1"]),
            ("?status=pending", []),
            ("?metadata.kind=sale", ["order-1"]),
            ("?metadata.kind=rent&metadata.a.b=c+d", ["rent"]),
            ("?metadata.kind=rent&metadata.a.b=x", []),
            (f"?metadata.kind=rent&account={CASH}&from=2026-01-01", ["rent"]),
        ],
    )
    def test_finds(self, busy_shop: Shop, query: str, references: list[str]) -> None:
        found = busy_shop.must(200, "GET", f"transactions{query}")

        assert [each["reference"] for each in found["items"]] == references

    @pytest.mark.parametrize(
        "key",
        [
            "a'b",
            'a"b',
            "a\\b",
            "$",
            "$.a",
            "a[0]",
            "a%b_c",
            ":a",
            "ключ",
            "a b",
            "null",
            "\U0001f4b0",
            "a'; DROP TABLE ledgers; --",
        ],
    )
    def test_finds_metadata_by_any_name(self, shop: Shop, key: str) -> None:
        shop.must(201, "POST", "transactions", sale(metadata={key: f"value of {key}"}))
        shop.must(201, "POST", "transactions", sale(metadata={"a": "b"}))

        found = shop.must(200, "GET", f"transactions?{urlencode({f'metadata.{key}': f'value of {key}'})}")

        assert [each["metadata"] for each in found["items"]] == [{key: f"value of {key}"}]

    def test_pages_keep_their_criteria(self, busy_shop: Shop) -> None:
        first = busy_shop.call("GET", f"transactions?limit=1&account={SALES}")

        following = first.headers["Link"].partition(">")[0].lstrip("<")

        assert [each["reference"] for each in busy_shop.must(200, "GET", following)["items"]] == ["order-1"]

    @pytest.mark.parametrize("id", ["nonsense", "0" * 36, "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", "a%00b"])
    def test_says_that_there_is_none(self, shop: Shop, id: str) -> None:  # noqa: A002
        shop.refused("not-found", "GET", f"transactions/{id}")


class TestStatement:
    def test_runs_in_effective_order_and_pages(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("10.00", reference="late", effective_at="2026-03-01"))
        shop.must(201, "POST", "transactions", sale("3.00", reference="early", effective_at="2026-01-01"))
        shop.must(201, "POST", "transactions", refund("1.00", reference="between", effective_at="2026-02-01"))

        first = shop.must(200, "GET", f"accounts/{CASH}/postings?limit=2")
        second = shop.must(200, "GET", f"accounts/{CASH}/postings?limit=2&after={first['next']}")

        lines = [*first["items"], *second["items"]]
        assert [each["transaction"]["reference"] for each in lines] == ["early", "between", "late"]
        assert [each["balance"] for each in lines] == ["3.00", "2.00", "12.00"]
        assert [each.get("debit") or each["credit"] for each in lines] == ["3.00", "1.00", "10.00"]
        assert second["next"] is None

    def test_starts_within_its_period_with_the_balance_brought_forward(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale("3.00", effective_at="2026-01-01"))
        shop.must(201, "POST", "transactions", sale("10.00", effective_at="2026-03-01"))

        lines = shop.must(200, "GET", f"accounts/{CASH}/postings?from=2026-02-01&to=2026-03-02")["items"]

        assert [each["balance"] for each in lines] == ["13.00"]

    def test_of_no_account_is_not_found(self, shop: Shop) -> None:
        shop.refused("not-found", "GET", "accounts/assets:nowhere/postings")


class TestVerify:
    def test_shows_the_figures_compared(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale())

        verified = shop.must(200, "GET", "verify")

        assert verified["holds"] is True
        assert verified["checks"]
        assert all(check["holds"] and not check["violations"] and check["compared"] for check in verified["checks"])
