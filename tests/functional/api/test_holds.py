"""Holds over HTTP: a card is authorised, and captured, voided or left to expire; and what is posted is reversed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale


def authorise(shop: Shop, amount: str = "10.00", **more: Any) -> Any:
    """Reserve an amount of the till, and return the hold."""
    return shop.must(201, "POST", "transactions", refund(amount, pending=True, **more))


def part(amount: str, **more: Any) -> dict[str, Any]:
    return {"postings": refund(amount)["postings"], **more}


def till(shop: Shop) -> tuple[str, str, str]:
    balance = shop.must(200, "GET", f"accounts/{CASH}")["balances"]["USD"]
    return balance["balance"], balance["available"], balance["pending_credits"]


@pytest.fixture
def open_shop(shop: Shop) -> Shop:
    """Return a shop with 100 dollars in the till."""
    shop.must(201, "POST", "transactions", sale("100"))
    return shop


class TestAuthorising:
    def test_reserves(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30", reference="card-1", expires_at="2999-01-01")

        assert held["status"] == "pending"
        assert (held["expires_at"], held["posted_by"]) == ("2999-01-01T00:00:00Z", [])
        credited = held["postings"][1]
        assert (credited["balance"], credited["available"], credited["remaining"]) == ("100.00", "70.00", "30.00")
        assert till(open_shop) == ("100.00", "70.00", "30.00")
        assert open_shop.must(200, "GET", f"transactions/{held['id']}") == held

    def test_can_be_tried(self, open_shop: Shop) -> None:
        before = open_shop.trace()

        tried = open_shop.must(200, "POST", "transactions?dry_run=true", refund("30", pending=True))

        assert (tried["status"], tried["postings"][1]["available"]) == ("pending", "70.00")
        assert open_shop.trace() == before

    def test_needs_what_is_available(self, open_shop: Shop) -> None:
        authorise(open_shop, "60")

        problem = open_shop.refused("insufficient-funds", "POST", "transactions", refund("40.01", pending=True))

        assert problem["errors"][0]["pointer"] == "/postings/1"

    @pytest.mark.parametrize("more", [{"pending": True, "expires_at": "2020-01-01"}, {"expires_at": "2999-01-01"}])
    def test_is_due_before_it_expires(self, open_shop: Shop, more: Any) -> None:
        problem = open_shop.refused("validation-failed", "POST", "transactions", refund("1", **more))

        assert problem["errors"][0]["pointer"] == "/expires_at"

    def test_may_be_in_a_batch(self, open_shop: Shop) -> None:
        items = open_shop.call(
            "POST",
            "transactions/batch",
            {"transactions": [refund("10", pending=True), refund("5")]},
            Prefer="return=representation",
        ).json["items"]

        assert [each["status"] for each in items] == ["pending", "posted"]
        assert till(open_shop) == ("95.00", "85.00", "10.00")


class TestCapturing:
    def test_posts_all_that_remains_for_an_empty_body(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30", description="Card")

        posted = open_shop.call("POST", f"transactions/{held['id']}/post")

        body = posted.json
        assert posted.status_int == 201
        assert posted.headers["Location"].endswith(f"/transactions/{body['id']}")
        assert (body["status"], body["pending_of"], body["description"]) == ("posted", held["id"], "Card")
        seen = open_shop.must(200, "GET", f"transactions/{held['id']}")
        assert (seen["status"], seen["posted_by"]) == ("posted", [body["id"]])
        assert [posting["remaining"] for posting in seen["postings"]] == ["0.00", "0.00"]
        assert till(open_shop) == ("70.00", "70.00", "0.00")

    def test_goes_on_in_parts_until_the_final_one(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30")
        path = f"transactions/{held['id']}"

        open_shop.must(201, "POST", f"{path}/post", part("10"))
        seen = open_shop.must(200, "GET", path)
        assert (seen["status"], seen["postings"][0]["remaining"]) == ("pending", "20.00")
        last = open_shop.must(201, "POST", f"{path}/post", part("5", final=True))

        # What is given back is no line of the transaction.
        assert len(last["postings"]) == 2
        assert till(open_shop) == ("85.00", "85.00", "0.00")
        open_shop.refused("not-pending", "POST", f"{path}/post")

    def test_takes_no_more_than_remains(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30")
        before = open_shop.trace()

        problem = open_shop.refused("exceeds-hold", "POST", f"transactions/{held['id']}/post", part("30.01"))

        assert problem["errors"][0]["pointer"] == "/postings/0/debit"
        assert "index" not in problem
        assert open_shop.trace() == before

    @pytest.mark.parametrize("body", [None, {}, part("4"), part("4", final=True)])
    def test_is_done_once_for_a_key(self, open_shop: Shop, body: Any) -> None:
        held = authorise(open_shop, "30")
        key = str(uuid4())
        path = f"transactions/{held['id']}/post"

        first = open_shop.call("POST", path, body, Idempotency_Key=key)
        again = open_shop.call("POST", path, body, Idempotency_Key=key)

        assert (first.status_int, again.status_int) == (201, 201)
        assert again.body == first.body
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        open_shop.refused("idempotency-mismatch", "POST", path, part("3"), Idempotency_Key=key)

    def test_is_on_the_statement_once_posted(self, open_shop: Shop) -> None:
        def statement() -> list[tuple[str, str]]:
            lines = open_shop.must(200, "GET", f"accounts/{CASH}/postings")["items"]
            return [(line.get("debit") or f"-{line['credit']}", line["balance"]) for line in lines]

        held = authorise(open_shop, "30")
        open_shop.must(200, "POST", f"transactions/{authorise(open_shop)['id']}/void")
        assert statement() == [("100.00", "100.00")]

        open_shop.must(201, "POST", f"transactions/{held['id']}/post", part("5", final=True))
        assert statement() == [("100.00", "100.00"), ("-5.00", "95.00")]


class TestVoiding:
    def test_gives_back_what_is_left(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30")
        open_shop.must(201, "POST", f"transactions/{held['id']}/post", part("10"))

        voided = open_shop.must(200, "POST", f"transactions/{held['id']}/void")

        assert (voided["id"], voided["status"], len(voided["posted_by"])) == (held["id"], "voided", 1)
        assert till(open_shop) == ("90.00", "90.00", "0.00")
        open_shop.refused("not-pending", "POST", f"transactions/{held['id']}/void")

    def test_is_done_once_for_a_key(self, open_shop: Shop) -> None:
        path, key = f"transactions/{authorise(open_shop)['id']}/void", str(uuid4())

        first, again = (open_shop.call("POST", path, Idempotency_Key=key) for _ in range(2))

        assert (first.status_int, again.status_int, again.body) == (200, 200, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"

    def test_frees_nothing_before_the_hold_counts(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30", effective_at="2998-01-01")

        open_shop.must(200, "POST", f"transactions/{held['id']}/void")

        for at in ("2997-12-31", "2998-01-01"):
            cash = open_shop.must(200, "GET", f"accounts/{CASH}/balance?at={at}")["balances"]["USD"]
            assert (cash["available"], cash["pending_credits"]) == ("100.00", "0.00")
        assert till(open_shop) == ("100.00", "100.00", "0.00")

    def test_takes_nothing_else(self, open_shop: Shop) -> None:
        path = f"transactions/{authorise(open_shop)['id']}/void"

        open_shop.refused("validation-failed", "POST", path, {"final": True})


class TestExpiring:
    def test_shows_at_once_and_frees_for_who_needs_it(self, open_shop: Shop) -> None:
        """The hold is over at its time by the service's clock, although nobody has swept it."""
        soon = datetime.now(UTC) + timedelta(seconds=0.6)
        held = authorise(open_shop, "100", expires_at=soon.isoformat())
        while datetime.now(UTC) <= soon:
            time.sleep(0.05)

        assert open_shop.must(200, "GET", f"transactions/{held['id']}")["status"] == "expired"
        for verb in ("post", "void"):
            open_shop.refused("not-pending", "POST", f"transactions/{held['id']}/{verb}")
        open_shop.refused("not-posted", "POST", f"transactions/{held['id']}/reverse")


class TestGroups:
    def test_are_posted_in_their_order(self, open_shop: Shop) -> None:
        one, other = authorise(open_shop), authorise(open_shop)
        wanted = {"holds": [{"id": other["id"]}, {"id": one["id"], **part("4")}, {"id": one["id"], "final": True}]}
        key = str(uuid4())

        posted = open_shop.call("POST", "holds/post", wanted, Idempotency_Key=key)

        assert posted.status_int == 201
        assert [each["pending_of"] for each in posted.json["items"]] == [other["id"], one["id"], one["id"]]
        again = open_shop.call("POST", "holds/post", wanted, Idempotency_Key=key)
        assert (again.body, again.headers["Idempotency-Replayed"]) == (posted.body, "true")
        assert till(open_shop) == ("80.00", "80.00", "0.00")

    def test_are_voided_together(self, open_shop: Shop) -> None:
        ids = [authorise(open_shop)["id"] for _ in range(3)]

        voided = open_shop.must(200, "POST", "holds/void", {"holds": ids})

        assert [(each["id"], each["status"]) for each in voided["items"]] == [(each, "voided") for each in ids]
        assert till(open_shop) == ("100.00", "100.00", "0.00")

    @pytest.mark.parametrize(
        ("second", "code", "pointer"),
        [
            (part("10.01"), "exceeds-hold", "/holds/1/postings/0/debit"),
            (part("1.001"), "amount-precision", "/holds/1/postings/0/debit"),
            ({"effective_at": "2025-01-01"}, "period-locked", "/holds/1/effective_at"),
            ({"reference": "taken"}, "duplicate-reference", "/holds/1/reference"),
        ],
    )
    def test_say_which_could_not_be_posted(self, open_shop: Shop, second: Any, code: str, pointer: str) -> None:
        one, other = authorise(open_shop, reference="taken"), authorise(open_shop)
        open_shop.must(200, "PATCH", "", {"locked_before": "2026-01-01"})
        before = open_shop.trace()

        problem = open_shop.refused(
            code, "POST", "holds/post", {"holds": [{"id": one["id"]}, {"id": other["id"], **second}]}
        )

        assert problem["index"] == 1
        assert problem["errors"][0]["pointer"] == pointer
        assert open_shop.trace() == before

    @pytest.mark.parametrize("verb", ["post", "void"])
    def test_say_which_is_not_pending(self, open_shop: Shop, verb: str) -> None:
        one, posted = authorise(open_shop), authorise(open_shop)
        open_shop.must(201, "POST", f"transactions/{posted['id']}/post")
        ids = [one["id"], posted["id"]]

        wanted = {"holds": ids if verb == "void" else [{"id": each} for each in ids]}
        problem = open_shop.refused("not-pending", "POST", f"holds/{verb}", wanted)

        assert problem["index"] == 1
        assert till(open_shop) == ("90.00", "80.00", "10.00")

    @pytest.mark.parametrize("verb", ["post", "void"])
    def test_name_what_is_not_there(self, open_shop: Shop, verb: str) -> None:
        unknown = str(uuid4())

        wanted = {"holds": [unknown] if verb == "void" else [{"id": unknown}]}
        problem = open_shop.refused("not-found", "POST", f"holds/{verb}", wanted)

        assert unknown in problem["detail"]
        open_shop.refused("not-found", "POST", f"transactions/{unknown}/{verb}")
        open_shop.refused("not-found", "POST", f"transactions/{unknown}/reverse")

    def test_are_not_empty_and_name_none_twice_to_void(self, open_shop: Shop) -> None:
        held = authorise(open_shop)["id"]

        open_shop.refused("validation-failed", "POST", "holds/post", {"holds": []})
        open_shop.refused("validation-failed", "POST", "holds/void", {"holds": []})
        open_shop.refused("validation-failed", "POST", "holds/void", {"holds": [held, held]})


class TestReversing:
    def test_shows_on_both_sides(self, open_shop: Shop) -> None:
        sold = open_shop.must(201, "POST", "transactions", sale("7"))
        key = str(uuid4())

        undone = open_shop.call("POST", f"transactions/{sold['id']}/reverse", Idempotency_Key=key)

        assert undone.status_int == 201
        assert undone.json["reverses"] == sold["id"]
        assert undone.json["postings"][0]["credit"] == "7.00"
        assert open_shop.must(200, "GET", f"transactions/{sold['id']}")["reversed_by"] == undone.json["id"]
        again = open_shop.call("POST", f"transactions/{sold['id']}/reverse", Idempotency_Key=key)
        assert (again.body, again.headers["Idempotency-Replayed"]) == (undone.body, "true")
        problem = open_shop.refused("already-reversed", "POST", f"transactions/{sold['id']}/reverse")
        assert problem["transaction_id"] == undone.json["id"]

    def test_of_a_hold_is_of_all_its_parts(self, open_shop: Shop) -> None:
        held = authorise(open_shop, "30")
        open_shop.refused("not-posted", "POST", f"transactions/{held['id']}/reverse")
        parts = [
            open_shop.must(201, "POST", f"transactions/{held['id']}/post", part(amount)) for amount in ("10", "20")
        ]

        undone = open_shop.must(201, "POST", f"transactions/{held['id']}/reverse", {"description": "Returned"})

        seen = [open_shop.must(200, "GET", f"transactions/{each['id']}") for each in (held, *parts)]
        assert [each["reversed_by"] for each in seen] == [undone["id"]] * 3
        assert till(open_shop) == ("100.00", "100.00", "0.00")


class TestConditions:
    @pytest.mark.parametrize("condition", [{"version": 1}, {"min_available": "70.00"}])
    def test_hold_or_nothing_happens(self, open_shop: Shop, condition: Any) -> None:
        def spend() -> dict[str, Any]:
            wanted = refund("30")
            wanted["postings"][1]["if"] = condition
            return wanted

        open_shop.must(201, "POST", "transactions", spend())
        open_shop.must(201, "POST", "transactions", refund("0.01"))

        problem = open_shop.refused("condition-failed", "POST", "transactions", spend())
        assert problem["errors"][0]["pointer"] == "/postings/1/if"
        problem = open_shop.refused(
            "condition-failed", "POST", "transactions/batch", {"transactions": [refund("1"), spend()]}
        )
        assert (problem["index"], problem["errors"][0]["pointer"]) == (1, "/transactions/1/postings/1/if")

    @pytest.mark.parametrize("condition", [{"version": -1}, {"min_available": 5}, {"max_available": "5"}, "no"])
    def test_have_a_form(self, open_shop: Shop, condition: Any) -> None:
        wanted = refund("1")
        wanted["postings"][1]["if"] = condition

        problem = open_shop.refused("validation-failed", "POST", "transactions", wanted)
        assert problem["errors"][0]["pointer"].startswith("/postings/1/if")


class TestThePeriod:
    def test_is_closed_and_opened_by_who_has_seen_the_last(self, open_shop: Shop) -> None:
        seen = open_shop.call("GET")

        closed = open_shop.call("PATCH", "", {"locked_before": "2026-02-01"}, If_Match=seen.headers["ETag"])

        assert closed.json["locked_before"] == "2026-02-01T00:00:00Z"
        open_shop.refused("precondition-failed", "PATCH", "", {}, If_Match=seen.headers["ETag"])
        problem = open_shop.refused("period-locked", "POST", "transactions", sale(effective_at="2026-01-31"))
        assert problem["errors"][0]["pointer"] == "/effective_at"
        open_shop.must(201, "POST", "transactions", sale(effective_at="2026-02-01"))
        open_shop.must(200, "PATCH", "", {"locked_before": None}, If_Match=closed.headers["ETag"])
        open_shop.must(201, "POST", "transactions", sale(effective_at="2026-01-31"))


def test_all_of_it_is_in_the_openapi_document(open_shop: Shop) -> None:
    document = open_shop.must(200, "GET", "/openapi.json")

    below = "/v1/ledgers/{ledger}"
    codes = {
        f"{below}/transactions/{{id}}/post": {"201", "404", "409", "422"},
        f"{below}/transactions/{{id}}/void": {"200", "404", "409"},
        f"{below}/transactions/{{id}}/reverse": {"201", "404", "409"},
        f"{below}/holds/post": {"201", "404", "409", "422"},
        f"{below}/holds/void": {"200", "404", "409", "422"},
    }
    for path, expected in codes.items():
        assert set(document["paths"][path]["post"]["responses"]) >= expected, path
    assert "412" in document["paths"][below]["patch"]["responses"]
    for path in (f"{below}/transactions/{{id}}/post", f"{below}/transactions/{{id}}/void"):
        assert document["paths"][path]["post"]["requestBody"].get("required") is not True


@pytest.mark.commits
def test_the_books_are_right_after_a_capture_in_parts(lasting_shop: Shop) -> None:
    lasting_shop.must(201, "POST", "transactions", sale("100"))
    held = authorise(lasting_shop, "30")
    captured = lasting_shop.must(201, "POST", f"transactions/{held['id']}/post", part("10"))
    lasting_shop.must(201, "POST", f"transactions/{captured['id']}/reverse")
    lasting_shop.must(200, "POST", f"transactions/{held['id']}/void")

    assert till(lasting_shop) == ("100.00", "100.00", "0.00")
    assert lasting_shop.must(200, "GET", f"accounts/{SALES}")["balances"]["USD"]["balance"] == "100.00"
    assert lasting_shop.must(200, "GET", "verify")["holds"] is True
