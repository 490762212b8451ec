"""What happened in another ledger is recorded again as it was, and nothing else may be."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.functional.api.shop import CASH, Shop, sale

LONG_AGO = "2020-01-01T12:00:00Z"
EXPIRED = "2020-01-02T12:00:00Z"


def deed(**what: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), **what}


def hold(**more: Any) -> dict[str, Any]:
    """Return a hold of long ago, whose time is over."""
    return deed(transaction=sale(pending=True, effective_at=LONG_AGO, expires_at=EXPIRED, **more))


def part(of: dict[str, Any], amount: str) -> dict[str, Any]:
    return deed(post={"id": of["id"], "postings": sale(amount)["postings"], "effective_at": LONG_AGO, "reference": "p"})


def release(of: dict[str, Any], outcome: str, at: str = EXPIRED) -> dict[str, Any]:
    return deed(release={"id": of["id"], "outcome": outcome, "effective_at": at})


def replay(shop: Shop, *deeds: dict[str, Any], status: int = 201, **headers: str) -> dict[str, Any]:
    return shop.must(status, "POST", "replay", {"deeds": list(deeds)}, **headers)


class TestReplay:
    def test_records_an_expired_hold_its_post_and_its_end_as_they_were(self, shop: Shop) -> None:
        held = hold(reference="h")
        items = replay(shop, held, part(held, "2.50"), release(held, "expired"))["items"]

        assert [item["reference"] for item in items] == ["h", "p", None]
        found = shop.must(200, "GET", f"transactions/{items[0]['id']}")
        assert (found["status"], found["expires_at"], found["posted_by"]) == ("expired", EXPIRED, [items[1]["id"]])
        cash = shop.must(200, "GET", f"accounts/{CASH}")["balances"]["USD"]
        assert (cash["balance"], cash["pending_debits"]) == ("2.50", "0.00")
        before = shop.must(200, "GET", f"accounts/{CASH}/balance?at=2020-01-02T11:59:59Z")["balances"]["USD"]
        assert before["pending_debits"] == "10.00"
        assert shop.must(200, "GET", "verify")["holds"]

    def test_voids_a_hold_from_when_it_was_voided_though_its_time_is_over(self, shop: Shop) -> None:
        held = hold()
        made = replay(shop, held)["items"][0]["id"]

        replay(shop, deed(release={"id": made, "outcome": "voided", "effective_at": LONG_AGO}))

        assert shop.must(200, "GET", f"transactions/{made}")["status"] == "voided"
        at_once = shop.must(200, "GET", f"accounts/{CASH}/balance?at={LONG_AGO}")["balances"]["USD"]
        assert at_once["pending_debits"] == "0.00"

    def test_reverses_what_was_recorded_in_the_same_request(self, shop: Shop) -> None:
        sold = deed(transaction=sale(effective_at=LONG_AGO))

        made = replay(shop, sold, deed(reversal={"id": sold["id"], "effective_at": LONG_AGO}))["items"]

        reversal = shop.must(200, "GET", f"transactions/{made[1]['id']}")
        assert (reversal["reverses"], reversal["effective_at"]) == (made[0]["id"], LONG_AGO)

    def test_keeps_the_order_of_many_kinds(self, shop: Shop) -> None:
        sales = [deed(transaction=sale(reference=f"s-{number}")) for number in range(5)]
        held = hold(reference="h")
        mixed = [*sales[:2], held, part(held, "1.00"), *sales[2:]]

        replay(shop, *mixed)

        newest_first = shop.must(200, "GET", "transactions")["items"]
        assert [each["reference"] for each in newest_first] == ["s-4", "s-3", "s-2", "p", "h", "s-1", "s-0"]

    def test_takes_effect_once_with_a_key(self, shop: Shop) -> None:
        held = hold()
        deeds = (held, release(held, "expired"))

        first = replay(shop, *deeds, Idempotency_Key="again")
        second = replay(shop, *deeds, Idempotency_Key="again")

        assert first == second
        assert len(shop.must(200, "GET", "transactions")["items"]) == 1

    def test_names_the_first_deed_that_is_refused_and_leaves_nothing(self, shop: Shop) -> None:
        held = hold()
        more_than_held = part(held, "99.00")

        refused = replay(shop, deed(transaction=sale()), held, more_than_held, status=409)

        assert (refused["code"], refused["index"]) == ("exceeds-hold", 2)
        assert refused["errors"][0]["pointer"] == "/deeds/2/post/postings/0/debit"
        assert shop.must(200, "GET", "transactions")["items"] == []

    def test_lets_nothing_expire_that_has_not(self, shop: Shop) -> None:
        lasting = deed(transaction=sale(pending=True, expires_at="2999-01-01"))

        refused = replay(shop, lasting, release(lasting, "expired"), status=409)

        assert (refused["code"], refused["index"]) == ("not-pending", 1)

    def test_ends_a_hold_once(self, shop: Shop) -> None:
        held = hold()

        refused = replay(shop, held, release(held, "voided"), part(held, "1.00"), status=409)

        assert (refused["code"], refused["index"]) == ("not-pending", 2)

    def test_gives_a_hold_back_once(self, shop: Shop) -> None:
        made = replay(shop, hold())["items"][0]

        refused = replay(shop, release(made, "voided"), release(made, "expired"), status=409)

        assert (refused["code"], refused["index"]) == ("not-pending", 1)
        assert refused["errors"][0]["pointer"] == "/deeds/1/release"
        assert len(shop.must(200, "GET", "transactions")["items"]) == 1
        assert shop.must(200, "GET", "verify")["holds"]

    def test_gives_a_hold_of_the_same_request_back_once(self, shop: Shop) -> None:
        held, other = hold(), hold()

        refused = replay(
            shop,
            held,
            other,
            *(release(each, "expired") for each in (held, other)),
            release(held, "voided"),
            status=409,
        )

        assert (refused["code"], refused["index"]) == ("not-pending", 4)
        assert shop.must(200, "GET", "transactions")["items"] == []

    @pytest.mark.parametrize("kind", ["post", "release", "reversal"])
    def test_names_the_deed_whose_transaction_is_not_there(self, shop: Shop, kind: str) -> None:
        more = {"outcome": "voided", "effective_at": LONG_AGO} if kind == "release" else {}
        unknown = deed(**{kind: {"id": str(uuid.uuid4()), **more}})

        refused = replay(shop, deed(transaction=sale()), unknown, status=404)

        assert (refused["code"], refused["index"]) == ("not-found", 1)
        assert refused["errors"][0]["pointer"] == f"/deeds/1/{kind}"

    def test_keeps_periods_closed(self, shop: Shop) -> None:
        shop.must(200, "PATCH", "", {"locked_before": "2021-01-01"})

        assert replay(shop, deed(transaction=sale(effective_at=LONG_AGO)), status=409)["code"] == "period-locked"

    @pytest.mark.parametrize("kinds", [(), ("transaction", "reversal")])
    def test_takes_one_kind_a_deed(self, shop: Shop, kinds: tuple[str, ...]) -> None:
        of = {"transaction": sale(), "reversal": {"id": str(uuid.uuid4())}}

        refused = replay(shop, deed(**{kind: of[kind] for kind in kinds}), status=422)

        assert refused["errors"][0]["pointer"] == "/deeds/0"

    def test_says_which_outcomes_there_are(self, shop: Shop) -> None:
        refused = replay(shop, release(hold(), "posted"), status=422)

        assert refused["errors"] == [
            {"pointer": "/deeds/0/release/outcome", "detail": "Expected one of voided, expired"}
        ]


class TestEverybodyElse:
    def test_still_cannot_make_a_hold_that_has_expired(self, shop: Shop) -> None:
        refused = shop.must(422, "POST", "transactions", sale(pending=True, expires_at=EXPIRED))

        assert refused["errors"][0]["detail"] == "The hold would have expired already."

    @pytest.mark.parametrize("verb", ["post", "void"])
    def test_still_cannot_use_one(self, shop: Shop, verb: str) -> None:
        made = replay(shop, hold())["items"][0]["id"]

        assert shop.must(409, "POST", f"transactions/{made}/{verb}", {})["code"] == "not-pending"
