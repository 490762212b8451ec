"""Making ledgers, finding them again."""

from __future__ import annotations

import secrets

import pytest
import webtest

from tests.functional.api.shop import Shop


class TestCreateLedger:
    def test_answers_with_the_ledger_and_its_address(self, app: webtest.TestApp) -> None:
        shop = Shop(app)

        made = shop.call("POST", "/v1/ledgers", {"name": shop.name, "metadata": {"owner": "Ada"}})

        assert made.status_int == 201
        assert made.json["metadata"] == {"owner": "Ada"}
        assert made.json["created_at"].endswith("Z")
        assert shop.must(200, "GET", made.headers["Location"].removeprefix("http://localhost")) == made.json

    def test_refuses_a_name_that_is_taken(self, shop: Shop) -> None:
        shop.refused("already-exists", "POST", "/v1/ledgers", {"name": shop.name})

    @pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a\n", "a" * 101])
    def test_refuses_a_name_that_makes_no_address(self, app: webtest.TestApp, name: str) -> None:
        problem = Shop(app).refused("validation-failed", "POST", "/v1/ledgers", {"name": name})

        assert problem["errors"][0]["pointer"] == "/name"
        assert "letters" in problem["errors"][0]["detail"]

    @pytest.mark.commits
    def test_outlives_the_request(self, committing_app: webtest.TestApp) -> None:
        shop = Shop(committing_app)

        made = shop.must(201, "POST", "/v1/ledgers", {"name": shop.name})

        assert shop.must(200, "GET") == made


class TestListLedgers:
    def test_pages_by_name_without_missing_or_repeating_any(self, app: webtest.TestApp) -> None:
        shop = Shop(app)
        prefix = f"zz-{secrets.token_hex(8)}"
        names = [f"{prefix}-{number}" for number in range(5)]
        for name in reversed(names):
            shop.must(201, "POST", "/v1/ledgers", {"name": name})

        listed, address = [], "/v1/ledgers?limit=2"
        while address:
            page = shop.call("GET", address)
            listed += [each["name"] for each in page.json["items"]]
            link = page.headers.get("Link")
            assert (link is None) == (page.json["next"] is None)
            address = link.partition(">")[0].lstrip("<") if link else None

        assert [name for name in listed if name.startswith(prefix)] == names
        assert len(listed) == len(set(listed))


class TestGetLedger:
    def test_says_that_there_is_none(self, app: webtest.TestApp) -> None:
        problem = Shop(app).refused("not-found", "GET", "/v1/ledgers/nobody")

        assert "nobody" in problem["detail"]

    def test_answers_304_to_who_has_it(self, shop: Shop) -> None:
        tag = shop.call("GET").headers["ETag"]

        again = shop.call("GET", If_None_Match=tag)

        assert (again.status_int, again.body, again.headers["ETag"]) == (304, b"", tag)
