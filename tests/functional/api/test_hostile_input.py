"""Input nobody should send: each gets a problem document that says why, and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import webtest
from pyramid.router import Router

from tests.functional.api.shop import CASH, Shop, sale

WRITES = [
    ("POST", "/v1/ledgers"),
    ("PUT", "currencies/HOOL"),
    ("POST", "accounts"),
    ("PATCH", f"accounts/{CASH}"),
    ("POST", "transactions"),
    ("POST", "transactions/batch"),
]

MALFORMED = {
    "nothing": b"",
    "blank": b"  ",
    "cut off": b'{"postings": [',
    "two values": b"{}{}",
    "a comment": b"{} // yes",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number with a leading zero": b'{"a": 01}',
    "a control character in a string": b'{"a": "\x01"}',
    "a raw NUL": b'{"a": "\x00"}',
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "an overlong encoding": b'{"a": "\xc0\x80"}',
    "an encoded surrogate": b'{"a": "\xed\xa0\x80"}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "a lone surrogate as name": b'{"\\udc00": 1}',
    "a surrogate the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "a repeated member": b'{"name": "a", "name": "b"}',
    "a repeated member far down": b'{"a": [{"b": {"c": 1, "\\u0063": 2}}]}',
    "deep arrays": b"[" * 100_000,
    "deep closed arrays": b"[" * 50_000 + b"]" * 50_000,
    "deep objects": b'{"a":' * 100_000,
    "deep in a member": b'{"postings":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
}

NO_OBJECT: list[Any] = [None, True, 1, 1.5, "text", [], [[]], {"unknown": 1}, {"": 1}, {"\u0000": 1}, {"a" * 10_000: 1}]

AMOUNTS: list[Any] = [
    12.5, 12, -1, 1e30, True, None, [], {}, "", " ", "0", "0.00", "-1.00", "+1.00", "1,000.00", "1e3", "1E+2",
    "0x10", "NaN", "Infinity", ".5", "5.", "1.", "1_000", "१२", "٣", "12.50\n", " 12.50", "12.50 ", "1\u0000",
    "9" * 41, "0." + "1" * 21, "1" * 100_000, 10**30, "½", "12.50 USD",
]  # fmt: skip

TIMES: list[Any] = [
    "", "yesterday", "2026-01-31T12:00:00", "2026-01-31T12:00", "2026-01-31 12:00:00Z", "2026-02-30",
    "2026-13-01", "20260131", "2026-W05-6", "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0999-12-31", "12026-01-01",
    "2026-01-31T12:00:00+25:00", "2026-01-31Z", "2026-01-31\n", "٢٠٢٦-01-31", 1769817600, 1.5, True, [], {},
    "2026-01-31T12:00:00.0000000001Z",
]  # fmt: skip

TEXTS: list[Any] = [5, 1.5, True, [], {}, "a\u0000b", "\u0000", "x" * 1001]

ADDRESSES = [
    ("/v1/ledgers/%ff", "bad-parameter"),
    ("/v1/ledgers/%00", "not-found"),
    ("/v1/ledgers/..%2f..%2fetc", "not-found"),
    ("/v1/ledgers/" + "x" * 5000, "not-found"),
    ("/v1/ledgers/%F0%9F%92%A9", "not-found"),
    ("/v1/ledgers/{name}/accounts/%00", "not-found"),
    ("/v1/ledgers/{name}/accounts/%ed%a0%80", "bad-parameter"),
    ("/v1/ledgers/{name}/accounts/a%0a", "not-found"),
    ("/v1/ledgers/{name}/accounts/" + "x" * 5000, "not-found"),
    ("/v1/ledgers/{name}/accounts/'%3B%20DROP%20TABLE%20ledgers%3B--", "not-found"),
    ("/v1/ledgers/{name}/transactions/%00", "not-found"),
    ("/v1/ledgers/{name}/transactions/01999c1e7b5a7cc1b1a42f6c0d9e8a31", "not-found"),
    ("/v1/ledgers/{name}/", "not-found"),
    ("/v1/ledgers//accounts", "not-found"),
    ("//", "not-found"),
    ("/v1/ledgers/{name}/transactions?%ff=1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?a", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?unknown=1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=0", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=1001", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=-1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=1e2", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=" + "9" * 5000, "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?limit=1&limit=1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?status=Posted", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?status=null", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?account=%00", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?reference=a%00", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?reference=", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?from=yesterday", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?to=2026-02-30", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?metadata.=1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?metadata.a=%00", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?metadata=1", "bad-parameter"),
    ("/v1/ledgers/{name}/transactions?" + "&".join(f"metadata.{n}=1" for n in range(101)), "bad-parameter"),
    ("/v1/ledgers/{name}/accounts?prefix=%00", "bad-parameter"),
    ("/v1/ledgers/{name}/accounts?type=assets", "bad-parameter"),
    ("/v1/ledgers/{name}/verify?deep=1", "bad-parameter"),
    ("/healthz?verbose=1", "bad-parameter"),
]

LISTS = ["/v1/ledgers", "currencies", "accounts", f"accounts/{CASH}/postings", "transactions"]


class TestBodies:
    @pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
    def test_that_are_malformed(self, shop: Shop, body: bytes) -> None:
        before = shop.trace()

        for method, path in WRITES:
            problem = shop.refused("malformed-json", method, path, raw=body)
            assert len(problem["detail"]) < 200

        assert shop.trace() == before

    @pytest.mark.parametrize("body", NO_OBJECT, ids=lambda body: repr(body)[:30])
    def test_that_are_something_else(self, shop: Shop, body: Any) -> None:
        before = shop.trace()

        for method, path in WRITES:
            assert shop.refused("validation-failed", method, path, raw=json.dumps(body).encode())["errors"]

        assert shop.trace() == before

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"Content-Type": "multipart/form-data; boundary=x"},
            {"Content-Type": ""},
            {"Content-Type": "application/json5"},
            {"Content-Encoding": "gzip"},
        ],
        ids=str,
    )
    def test_that_are_no_json_by_their_headers(self, shop: Shop, headers: dict[str, str]) -> None:
        sent = {"Content-Type": "application/json", **headers}

        for method, path in WRITES:
            shop.refused("unsupported-media-type", method, path, raw=b"{}", **sent)


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: repr(amount)[:20])
class TestAmounts:
    def test_of_postings(self, shop: Shop, amount: Any) -> None:
        before = shop.trace()

        problem = shop.refused("validation-failed", "POST", "transactions", sale(amount))

        assert problem["errors"][0]["pointer"] == "/postings/0/debit"
        assert "string" in problem["errors"][0]["detail"]
        assert shop.trace() == before


@pytest.mark.parametrize("time", TIMES, ids=repr)
def test_times(shop: Shop, time: Any) -> None:
    problem = shop.refused("validation-failed", "POST", "transactions", sale(effective_at=time))

    assert problem["errors"][0]["pointer"] == "/effective_at"
    assert "2026-01-31" in problem["errors"][0]["detail"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text)[:20])
@pytest.mark.parametrize("member", ["reference", "description"])
def test_texts(shop: Shop, member: str, text: Any) -> None:
    problem = shop.refused("validation-failed", "POST", "transactions", sale(**{member: text}))

    assert problem["errors"][0]["pointer"] == f"/{member}"


@pytest.mark.parametrize(
    "metadata",
    [[], "a", None, {"a": 1}, {"a": None}, {"a": {}}, {"": "a"}, {"a\u0000": "b"}, {"a": "\u0000"}, {"k" * 101: "a"},
     {"a": "v" * 1001}, {str(number): "" for number in range(51)}],
    ids=lambda metadata: repr(metadata)[:20],
)  # fmt: skip
def test_metadata(shop: Shop, metadata: Any) -> None:
    problem = shop.refused("validation-failed", "POST", "transactions", sale(metadata=metadata))

    assert problem["errors"][0]["pointer"] == "/metadata"


@pytest.mark.parametrize(
    ("posting", "pointer"),
    [
        ({"debit": "1", "credit": "1"}, "/postings/0"),
        ({}, "/postings/0"),
        ({"debit": "1", "currency": "usd"}, "/postings/0/currency"),
        ({"debit": "1", "currency": None}, "/postings/0/currency"),
        ({"debit": "1", "account": "a\u0000"}, "/postings/0/account"),
        ({"debit": "1", "side": "debit"}, "/postings/0"),
        ({"debit": "1", "if": {"version": -7}}, "/postings/0/if/version"),
        ({"debit": "1", "if": {"min_available": 5}}, "/postings/0/if/min_available"),
        ({"debit": "1", "if": {"balance": "5"}}, "/postings/0/if"),
    ],
)
def test_postings(shop: Shop, posting: dict[str, Any], pointer: str) -> None:
    wanted = sale()
    wanted["postings"][0] = {"account": CASH, "currency": "USD", **posting}

    assert shop.refused("validation-failed", "POST", "transactions", wanted)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("count", [0, 1, 1001])
def test_numbers_of_postings(shop: Shop, count: int) -> None:
    wanted = {"postings": sale()["postings"][:1] * count}

    assert shop.refused("validation-failed", "POST", "transactions", wanted)["errors"][0]["pointer"] == "/postings"


@pytest.mark.parametrize(("address", "code"), ADDRESSES, ids=lambda value: value[:60])
def test_addresses(shop: Shop, address: str, code: str) -> None:
    shop.refused(code, "GET", address.replace("{name}", shop.name))


@pytest.mark.parametrize("path", LISTS)
class TestCursors:
    @pytest.mark.parametrize(
        "cursor",
        [
            "%c3%a9",
            "",
            "x",
            "null",
            "!!!!",
            "WyJubyIsMV0",
            "W10",
            "e30",
            "MQ",
            "%00",
            "%ff",
            "A" * 3000,
            "WyJhY2NvdW50cyIsIlx1MDAwMCJd",
        ],
    )
    def test_that_are_none(self, shop: Shop, path: str, cursor: str) -> None:
        shop.refused("bad-parameter", "GET", f"{path}?after={cursor}")

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00"])
    def test_of_a_time_there_is_not(self, shop: Shop, path: str, at: str) -> None:
        cursor = base64.urlsafe_b64encode(json.dumps(["postings", at, 7, "USD"]).encode()).decode().rstrip("=")

        shop.refused("bad-parameter", "GET", f"{path}?after={cursor}")

    def test_of_another_list(self, shop: Shop, path: str) -> None:
        shop.must(201, "POST", "transactions/batch", {"transactions": [sale(), sale()]})
        other = "accounts" if path != "accounts" else "transactions"
        cursor = shop.must(200, "GET", f"{other}?limit=1")["next"]

        shop.refused("bad-parameter", "GET", f"{path}?after={cursor}")

    def test_that_were_tampered_with(self, shop: Shop, path: str) -> None:
        for code in ("HOOL", "ITOT"):
            shop.must(201, "PUT", f"currencies/{code}", {"exponent": 4})
        shop.must(201, "POST", "transactions/batch", {"transactions": [sale(), sale()]})
        Shop(shop.app).open()
        cursor = shop.must(200, "GET", f"{path}?limit=1")["next"]
        chance = random.Random(4)

        for _ in range(60):
            letters = list(cursor)
            letters[chance.randrange(len(letters))] = chance.choice("abcXYZ019-_=")
            answer = shop.call("GET", f"{path}?after={''.join(letters)}")
            assert answer.status_int in (200, 400), answer.text


@pytest.fixture(scope="session")
def small_wsgi_app(make_wsgi_app: Callable[..., Router]) -> Router:
    """Return the application with a bound that is easily reached."""
    return make_wsgi_app(**{"myapp.body_bytes_max": "500"})


class TestSize:
    @pytest.mark.parametrize("declared", ["honestly", "not at all", "as less"])
    def test_is_bounded_whatever_is_declared(self, small_wsgi_app: Router, declared: str) -> None:
        app = webtest.TestApp(small_wsgi_app, lint=False)
        body = json.dumps({"name": secrets.token_hex(8), "metadata": {"a": "x" * 500}}).encode()
        request = app.RequestClass.blank("/v1/ledgers", method="POST", body=body, content_type="application/json")
        request.environ["REMOTE_ADDR"] = "127.0.0.1"
        if declared == "not at all":
            del request.environ["CONTENT_LENGTH"]
            request.environ["wsgi.input_terminated"] = True
        if declared == "as less":
            request.environ["CONTENT_LENGTH"] = "100"

        answer = app.do_request(request, status="*")

        assert answer.json["code"] == "too-large", answer.text

    def test_at_the_bound_is_taken(self, small_wsgi_app: Router) -> None:
        app = webtest.TestApp(small_wsgi_app, extra_environ={"REMOTE_ADDR": "127.0.0.1"})
        wanted = {"name": f"s-{secrets.token_hex(8)}", "metadata": {"a": ""}}
        wanted["metadata"]["a"] = "x" * (500 - len(json.dumps(wanted)))

        assert Shop(app).call("POST", "/v1/ledgers", wanted).status_int == 201
        wanted["metadata"]["a"] += "x"
        Shop(app).refused("too-large", "POST", "/v1/ledgers", wanted)
