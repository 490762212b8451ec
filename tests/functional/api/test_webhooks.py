"""Making webhooks and changing them; that events come to them is in tests/integration/scripts/test_deliver.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.api.shop import Shop

URL = "https://shop.example/hooks"
NOBODY = "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31"


def make(shop: Shop, **more: Any) -> dict[str, Any]:
    return shop.must(201, "POST", "webhooks", {"url": URL, **more})


class TestWebhooks:
    def test_show_their_secret_once(self, shop: Shop):
        made = shop.call("POST", "webhooks", {"url": URL, "types": ["account.opened"], "description": "stock"})

        shown = dict(made.json)
        secret = shown.pop("secret")
        assert made.status_int == 201
        assert secret.startswith("whsec_")
        assert shop.must(200, "GET", made.headers["Location"].removeprefix("http://localhost")) == shown
        assert shop.must(200, "GET", "webhooks") == {"items": [shown], "next": None}
        assert (shown["state"], shown["failures"], shown["next_attempt_at"]) == ("active", 0, None)

    def test_begin_now_or_where_it_is_asked(self, shop: Shop):
        last = shop.must(200, "GET", "events")["next"]

        assert make(shop)["position"] == last
        assert make(shop, after=0)["position"] == 0

    def test_are_made_once_with_a_key(self, shop: Shop):
        first = shop.call("POST", "webhooks", {"url": URL}, Idempotency_Key="k")
        again = shop.call("POST", "webhooks", {"url": URL}, Idempotency_Key="k")

        assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
        assert len(shop.must(200, "GET", "webhooks")["items"]) == 1

    def test_are_changed_part_by_part(self, shop: Shop):
        path = f"webhooks/{make(shop, types=['ledger.changed'])['id']}"

        changed = shop.must(200, "PATCH", path, {"url": f"{URL}/2", "types": None, "active": False})
        assert (changed["url"], changed["types"], changed["state"]) == (f"{URL}/2", None, "paused")
        changed = shop.must(200, "PATCH", path, {"description": "d", "active": True})
        assert (changed["url"], changed["description"], changed["state"]) == (f"{URL}/2", "d", "active")

    def test_are_sent_again_what_they_had(self, shop: Shop):
        path = f"webhooks/{make(shop)['id']}/replay"

        assert shop.must(200, "POST", path, {"after": 1})["position"] == 1

    def test_get_another_secret_once_with_a_key(self, shop: Shop):
        made = make(shop)
        path = f"webhooks/{made['id']}/secret"

        first = shop.must(200, "POST", path, {}, Idempotency_Key="k")
        again = shop.call("POST", path, {}, Idempotency_Key="k")

        assert first["secret"] != made["secret"]
        assert (again.json, again.headers["Idempotency-Replayed"]) == (first, "true")

    def test_are_pinged_by_an_event(self, shop: Shop):
        made = make(shop)
        shop.must(200, "POST", f"webhooks/{made['id']}/ping", {})

        told = shop.must(200, "GET", "events")["items"][-1]
        assert (told["type"], told["data"]) == ("webhook.pinged", {"webhook": made["id"], "error": None})

    def test_page_and_are_removed(self, shop: Shop):
        ids = [make(shop)["id"] for _ in range(3)]

        page = shop.must(200, "GET", "webhooks?limit=2")
        rest = shop.must(200, "GET", f"webhooks?limit=2&after={page['next']}")
        assert [each["id"] for each in page["items"] + rest["items"]] == ids
        shop.must(204, "DELETE", f"webhooks/{ids[0]}")
        shop.refused("not-found", "GET", f"webhooks/{ids[0]}")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "", None),
            ("PATCH", "", {}),
            ("DELETE", "", None),
            ("POST", "/replay", {"after": 0}),
            ("POST", "/ping", {}),
            ("POST", "/secret", {}),
        ],
    )
    @pytest.mark.parametrize("id_", [NOBODY, "nobody"])
    def test_that_are_not_there_are_not_found(self, shop: Shop, method: str, path: str, body: Any, id_: str):
        shop.refused("not-found", method, f"webhooks/{id_}{path}", body)

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, ""),
            ({"url": "ftp://shop.example"}, "/url"),
            ({"url": "https://user:password@shop.example"}, "/url"),
            ({"url": "https://shop.example/\n"}, "/url"),
            ({"url": URL, "types": []}, "/types"),
            ({"url": URL, "types": ["no.such"]}, "/types/0"),
            ({"url": URL, "after": -1}, "/after"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, shop: Shop, body: Any, pointer: str):
        problem = shop.refused("validation-failed", "POST", "webhooks", body)

        assert problem["errors"][0]["pointer"] == pointer

    def test_that_everyone_could_read_are_refused(self, shop: Shop):
        path = f"webhooks/{make(shop)['id']}"

        shop.refused("url-not-allowed", "POST", "webhooks", {"url": "http://shop.example"})
        shop.refused("url-not-allowed", "PATCH", path, {"url": "http://shop.example"})
        assert shop.must(200, "GET", path)["url"] == URL
