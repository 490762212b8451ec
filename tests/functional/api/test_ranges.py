"""A range of times ends no earlier than it begins, wherever one is taken: found in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.api.shop import CASH, Shop, sale

RANGES = [
    ("transactions", "from", "to"),
    ("transactions", "recorded_from", "recorded_to"),
    (f"accounts/{CASH}/postings", "from", "to"),
    ("prices", "from", "to"),
    ("export", "from", "to"),
    ("reports/income-statement", "from", "to"),
    (f"reports/account-statement?account={CASH}", "from", "to"),
]


def asked(path: str, **parameters: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{path}{'&' if '?' in path else '?'}{query}"


def documented(shop: Shop) -> Iterator[tuple[str, str, str]]:
    """Yield every range that an operation takes: the end of its address, and the two parameters."""
    for path, methods in shop.must(200, "GET", "/openapi.json")["paths"].items():
        for operation in methods.values():
            names = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
            for name in names:
                if name.endswith("from"):
                    last = f"{name.removesuffix('from')}to"
                    assert last in names
                    yield path.partition("{ledger}/")[2].replace("{path}", CASH), name, last


def test_of_the_document_are_all_here(shop: Shop) -> None:
    here = {(path.partition("?")[0], first, last) for path, first, last in RANGES}

    assert set(documented(shop)) == here


@pytest.mark.parametrize(("path", "first", "last"), RANGES)
class TestARange:
    def test_that_ends_before_it_begins_is_refused(self, shop: Shop, path: str, first: str, last: str) -> None:
        reversed_one = {first: "2026-02-01T00:00:00.000001Z", last: "2026-02-01"}

        problem = shop.refused("bad-parameter", "GET", asked(path, **reversed_one))

        assert problem["status"] == 400
        assert f"{first!r} (2026-02-01T00:00:00.000001+00:00) is after {last!r}" in problem["detail"]

    def test_that_ends_as_it_begins_is_empty(self, shop: Shop, path: str, first: str, last: str) -> None:
        shop.must(201, "POST", "transactions", sale(effective_at="2026-02-01"))

        answer = shop.call("GET", asked(path, **{first: "2026-02-01", last: "2026-02-01"}))

        assert answer.status_int == 200
        if answer.content_type == "application/json":
            assert not answer.json.get("items")


class TestAReportWithoutAnEnd:
    @pytest.mark.parametrize("path", ["reports/income-statement", f"reports/account-statement?account={CASH}"])
    def test_ends_now_so_it_begins_no_later(self, shop: Shop, path: str) -> None:
        problem = shop.refused("bad-parameter", "GET", asked(path, **{"from": "2999-01-01"}))

        assert "'from' (2999-01-01" in problem["detail"]

    @pytest.mark.parametrize("path", ["transactions", f"accounts/{CASH}/postings", "prices"])
    def test_is_no_list_which_has_no_end(self, shop: Shop, path: str) -> None:
        assert shop.must(200, "GET", asked(path, **{"from": "2999-01-01"}))["items"] == []
