"""The Idempotency-Key: the same request takes effect once, whatever happens on the way."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import webtest

from tests.functional.api.shop import CASH, Shop, refund, sale

# PostgreSQL keeps the names of an object by length: c, bb, aaa.
METADATA = {"bb": "2", "aaa": "1", "c": "3"}

WRITES = [
    ("POST", "/v1/ledgers", lambda: {"name": f"ledger-{secrets.token_hex(8)}", "metadata": METADATA}),
    ("POST", "accounts", lambda: {"path": "assets:bank", "type": "asset", "metadata": METADATA}),
    (
        "POST",
        "transactions",
        lambda: sale(reference="order-1", effective_at="2026-01-31T12:00:00+02:00", metadata=METADATA),
    ),
    ("POST", "transactions/batch", lambda: {"transactions": [sale(metadata=METADATA), sale()]}),
]


def in_another_order(value: Any) -> Any:
    """Return JSON that means the same, with the members of every object the other way round."""
    if isinstance(value, list):
        return [in_another_order(each) for each in value]
    if isinstance(value, dict):
        return {name: in_another_order(each) for name, each in reversed(value.items())}
    return value


@pytest.mark.parametrize(("method", "path", "make"), WRITES, ids=[path for _method, path, _make in WRITES])
class TestRepeated:
    def test_answers_as_the_first_time(self, shop: Shop, method: str, path: str, make: Any) -> None:
        wanted, key = make(), secrets.token_hex(8)
        first = shop.call(method, path, wanted, Idempotency_Key=key)
        between = shop.trace()

        again = shop.call(method, path, wanted, Idempotency_Key=key)

        assert (first.status_int, "Idempotency-Replayed" in first.headers) == (201, False)
        assert (again.status_int, again.body) == (first.status_int, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers.get("Location") == first.headers.get("Location")
        assert shop.trace() == between

    def test_is_read_with_its_metadata_by_name(self, shop: Shop, method: str, path: str, make: Any) -> None:
        wanted, key = make(), secrets.token_hex(8)
        headers = {"Idempotency_Key": key, "Prefer": "return=representation"}
        made = shop.call(method, path, wanted, **headers)

        again = shop.call(method, path, wanted, **headers)

        assert again.body == made.body
        assert b'"metadata":{"aaa":"1","bb":"2","c":"3"}' in made.body
        if "Location" in made.headers:
            assert shop.call("GET", made.headers["Location"].removeprefix("http://localhost")).body == made.body

    def test_takes_members_in_another_order_for_the_same(self, shop: Shop, method: str, path: str, make: Any) -> None:
        wanted, key = make(), secrets.token_hex(8)
        shop.must(201, method, path, wanted, Idempotency_Key=key)

        again = shop.call(method, path, in_another_order(wanted), Idempotency_Key=key)

        assert again.headers["Idempotency-Replayed"] == "true"

    def test_refuses_another_body(self, shop: Shop, method: str, path: str, make: Any) -> None:
        key = secrets.token_hex(8)
        shop.must(201, method, path, make(), Idempotency_Key=key)
        other = {"transactions": [sale("1.00")]} if path.endswith("batch") else {**make(), "metadata": {"other": "yes"}}

        shop.refused("idempotency-mismatch", method, path, other, Idempotency_Key=key)

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ключ", "a\t"])
    def test_refuses_what_is_no_key(self, shop: Shop, method: str, path: str, make: Any, key: str) -> None:
        before = shop.trace()

        problem = shop.refused("bad-parameter", method, path, make(), Idempotency_Key=key.encode().decode("latin-1"))

        assert "Idempotency-Key" in problem["detail"]
        assert shop.trace() == before


class TestRefused:
    def test_is_not_remembered(self, shop: Shop) -> None:
        shop.refused("insufficient-funds", "POST", "transactions", refund(), Idempotency_Key="k")
        shop.must(201, "POST", "transactions", sale("20.00"))

        recorded = shop.call("POST", "transactions", refund(), Idempotency_Key="k")

        assert recorded.status_int == 201
        assert "Idempotency-Replayed" not in recorded.headers

    def test_of_an_account_is_not_remembered(self, shop: Shop) -> None:
        wanted = {"path": "assets:bank", "type": "asset", "limits": {"XQZ": {"min": "0"}}}
        shop.refused("unknown-currency", "POST", "accounts", wanted, Idempotency_Key="k")
        shop.must(201, "PUT", "currencies/XQZ", {"exponent": 0})

        assert "Idempotency-Replayed" not in shop.call("POST", "accounts", wanted, Idempotency_Key="k").headers

    def test_mismatch_comes_before_what_the_other_body_is_refused_for(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale(), Idempotency_Key="k")

        shop.refused("idempotency-mismatch", "POST", "transactions", sale("0.001"), Idempotency_Key="k")


class TestKeys:
    def test_belong_to_one_ledger(self, shop: Shop) -> None:
        other = Shop(shop.app).open()
        shop.must(201, "POST", "transactions", sale(), Idempotency_Key="k")

        assert "Idempotency-Replayed" not in other.call("POST", "transactions", sale(), Idempotency_Key="k").headers

    def test_belong_to_one_address(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale(), Idempotency_Key="k")

        shop.refused("idempotency-mismatch", "POST", "accounts", {"path": "a", "type": "asset"}, Idempotency_Key="k")

    def test_tell_ids_from_whole_transactions(self, shop: Shop) -> None:
        batch = {"transactions": [sale()]}
        shop.must(201, "POST", "transactions/batch", batch, Idempotency_Key="k")

        shop.refused(
            "idempotency-mismatch",
            "POST",
            "transactions/batch",
            batch,
            Idempotency_Key="k",
            Prefer="return=representation",
        )


@pytest.mark.commits
class TestAtTheSameTime:
    @pytest.mark.parametrize(("method", "path", "make"), WRITES, ids=[path for _method, path, _make in WRITES])
    def test_takes_effect_once(self, lasting_shop: Shop, method: str, path: str, make: Any) -> None:
        threads, wanted, key = 6, make(), secrets.token_hex(8)
        start = Barrier(threads)

        def send(_number: int) -> webtest.TestResponse:
            start.wait()
            return lasting_shop.call(method, path, wanted, Idempotency_Key=key)

        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(send, range(threads)))

        assert {answer.status_int for answer in answers} <= {201, 409}
        made = [answer for answer in answers if answer.status_int == 201]
        assert sum("Idempotency-Replayed" not in answer.headers for answer in made) == 1
        assert len({answer.body for answer in made}) == 1
        assert {answer.json["code"] for answer in answers if answer.status_int == 409} <= {
            "idempotency-in-progress",
            "conflict",
        }
        if path == "transactions":
            assert lasting_shop.must(200, "GET", f"accounts/{CASH}")["balances"]["USD"]["balance"] == "12.50"
