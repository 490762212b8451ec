"""A book as other programs read it: whole or a period of it, streamed in the format they ask for."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, refund, sale

NASTY = 'a "quoted", \\ back\\slash;\r\nnext line\t| pipe, ünï 🧾  '


def ndjson(shop: Shop, query: str = "") -> list[dict[str, Any]]:
    answer = shop.call("GET", f"export?format=ndjson{query}")
    assert (answer.status_int, answer.content_type) == (200, "application/x-ndjson")
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


def transactions(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["line"] == "transaction"]


def rows(shop: Shop, query: str = "") -> list[dict[str, str]]:
    answer = shop.call("GET", f"export?format=csv{query}")
    assert (answer.status_int, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


class TestNdjson:
    def test_says_everything_in_the_order_it_was_recorded(self, shop: Shop) -> None:
        shop.must(200, "PATCH", f"accounts/{CASH}", {"metadata": {"b": "2", "a": "1"}})
        shop.must(201, "POST", "accounts", {"path": "assets:old", "type": "asset", "currencies": ["EUR", "USD"]})
        shop.must(200, "PATCH", "accounts/assets:old", {"closed": True})
        late = shop.must(201, "POST", "transactions", sale(effective_at="2026-03-01T10:00:00.5Z", description=NASTY))
        early = shop.must(
            201, "POST", "transactions", refund("1.25", effective_at="2020-01-01", reference="r-1", metadata={"k": "v"})
        )

        head, *lines, total = ndjson(shop)

        assert {name: head[name] for name in ("line", "version", "name", "metadata", "locked_before")} == {
            "line": "ledger", "version": 2, "name": shop.name, "metadata": {}, "locked_before": None,
        }  # fmt: skip
        assert [line for line in lines if line["line"] == "currency"][-1] == {
            "line": "currency", "code": "USD", "exponent": 2,
        }  # fmt: skip
        assert [line for line in lines if line["line"] == "account"] == [
            {"line": "account", "path": CASH, "type": "asset", "closed": False, "currencies": None,
             "limits": {"USD": {"min": "0.00"}}, "metadata": {"a": "1", "b": "2"}},
            {"line": "account", "path": "assets:old", "type": "asset", "closed": True, "currencies": ["EUR", "USD"],
             "limits": {}, "metadata": {}},
            {"line": "account", "path": SALES, "type": "income", "closed": False, "currencies": None, "limits": {},
             "metadata": {}},
        ]  # fmt: skip
        said = ("id", "status", "reference", "description", "effective_at", "recorded_at", "metadata")
        assert transactions(lines) == [
            {
                "line": "transaction",
                **{name: of[name] for name in said},
                "postings": [
                    {name: line[name] for name in ("account", "currency", "debit", "credit") if name in line}
                    for line in of["postings"]
                ],
            }
            for of in (late, early)
        ]
        assert total == {"line": "total", "transactions": 2, "postings": 4, "prices": 0}

    def test_is_what_it_is_without_a_format(self, shop: Shop) -> None:
        assert shop.call("GET", "export").body == shop.call("GET", "export?format=ndjson").body


class TestCsv:
    def test_has_a_row_for_each_posting_by_effective_time(self, shop: Shop) -> None:
        late = shop.must(201, "POST", "transactions", sale(effective_at="2026-03-01", description=NASTY))
        shop.must(201, "POST", "transactions", refund("1.25", effective_at="2020-01-01T12:30:00Z", metadata={"k": "v"}))

        first, second, third, _fourth = rows(shop)

        assert (first["account"], first["debit"], first["credit"], first["line"]) == (SALES, "1.25", "", "0")
        assert (second["account"], second["debit"], second["credit"], second["line"]) == (CASH, "", "1.25", "1")
        assert (first["effective_at"], json.loads(first["metadata"])) == ("2020-01-01T12:30:00Z", {"k": "v"})
        assert third["transaction_id"] == late["id"]
        assert (third["description"], third["metadata"], third["account_type"]) == (NASTY, "", "asset")

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'quoted"])
    def test_holds_nothing_that_a_spreadsheet_would_run(self, shop: Shop, text: str) -> None:
        shop.must(201, "POST", "transactions", sale(description=text, reference=text))

        row = rows(shop)[0]

        assert (row["description"], row["reference"]) == (f"'{text}", f"'{text}")

    def test_ends_its_lines_as_rfc_4180_does(self, shop: Shop) -> None:
        assert shop.call("GET", "export?format=csv").body.endswith(b",metadata\r\n")


class TestJournals:
    def test_beancount_says_what_it_has_no_place_for_as_metadata(self, shop: Shop) -> None:
        notes = {"order": "7", "Ünï": "x", "beancount.tags": "a b"}
        wanted = sale(effective_at="2026-03-01T10:00:00Z", reference="r-1", description='Sale "A"', metadata=notes)
        shop.must(201, "POST", "transactions", wanted)
        shop.must(200, "PATCH", f"accounts/{SALES}", {"closed": True})

        answer = shop.call("GET", "export?format=beancount")

        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (
            answer.text
            == f"""\
option "title" "{shop.name}"

2026-03-01 commodity USD
  ledger-digits: "2"

2026-03-01 open Assets:Cash
  ledger-path: "assets:cash"
  ledger-limits: "{{\\"USD\\":{{\\"min\\":\\"0.00\\"}}}}"
2026-03-01 open Income:Sales
  ledger-path: "income:sales"

2026-03-01 * "Sale \\"A\\"" #a #b
  ledger-time: "2026-03-01T10:00:00Z"
  ledger-reference: "r-1"
  order: "7"
  ledger-metadata: "{{\\"Ünï\\":\\"x\\"}}"
  Assets:Cash  12.50 USD
  Income:Sales  -12.50 USD

2026-03-02 balance Assets:Cash  12.50 ~ 0 USD
2026-03-02 balance Income:Sales  -12.50 ~ 0 USD
2026-03-02 close Income:Sales
"""
        )

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            (
                "beancount",
                (
                    "2026-01-02 price EUR  1.0850 USD\n"
                    '2026-01-02 price EUR  1.1 USD\n  ledger-time: "2026-01-02T12:00:00Z"\n'
                ),
            ),
            ("hledger", "P 2026-01-02 EUR 1.0850 USD\nP 2026-01-02 EUR 1.1 USD  ; ledger-time:2026-01-02T12:00:00Z\n"),
        ],
    )
    def test_prices_are_those_of_the_period_as_last_corrected(self, shop: Shop, form: str, expected: str) -> None:
        told = [("1", "2026-01-01"), ("9", "2026-01-02"), ("1.1", "2026-01-02T12:00:00Z"), ("1.0850", "2026-01-02"),
                ("2", "2026-01-03")]  # fmt: skip
        for price, at in told:
            one = {"currency": "EUR", "quote": "USD", "price": price, "effective_at": at}
            shop.must(201, "POST", "prices", {"prices": [one]})

        answer = shop.call("GET", f"export?format={form}&from=2026-01-02&to=2026-01-03")

        assert expected in answer.text
        assert not any(f"EUR{blanks}{price} " in answer.text for blanks in (" ", "  ") for price in (1, 2, 9))

    def test_hledger_says_it_in_tags(self, shop: Shop) -> None:
        more = {"reference": "r-1", "description": "Sale; A", "metadata": {"a": "b,c"}}
        wanted = sale(effective_at="2026-03-01T10:00:00Z", **more)
        shop.must(201, "POST", "transactions", wanted)

        answer = shop.call("GET", "export?format=hledger")

        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (
            answer.text
            == f"""\
; {shop.name}

commodity 1000.00 USD

account assets:cash  ; type:A
    ; ledger-path:assets:cash
    ; ledger-limits:{{"USD":{{"min":"0.00"}}}}
account income:sales  ; type:R
    ; ledger-path:income:sales

2026-03-01 * (r-1) Sale A
    ; ledger-time:2026-03-01T10:00:00Z
    ; ledger-reference:r-1
    ; ledger-description:Sale%3B A
    ; ledger-metadata:{{"a":"b%2Cc"}}
    assets:cash  12.50 USD
    income:sales  -12.50 USD
"""
        )

    def test_of_a_period_assert_no_balance(self, shop: Shop) -> None:
        shop.must(201, "POST", "transactions", sale(effective_at="2026-03-01"))

        assert b" balance " not in shop.call("GET", "export?format=beancount&from=2026-01-01").body


class TestExport:
    def test_of_a_period_is_by_effective_time_without_its_end(self, shop: Shop) -> None:
        for day in ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"):
            shop.must(201, "POST", "transactions", sale(effective_at=day, reference=day))
        period = "&from=2026-02-01&to=2026-03-01"

        head, *lines, total = ndjson(shop, period)

        assert (head["from"], head["to"]) == ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
        assert [each["reference"] for each in transactions(lines)] == ["2026-02-01", "2026-02-28"]
        assert total["transactions"] == 2
        assert {row["reference"] for row in rows(shop, period)} == {"2026-02-01", "2026-02-28"}

    def test_names_the_file_after_the_ledger(self, shop: Shop) -> None:
        for name, suffix in (("ndjson", "ndjson"), ("csv", "csv"), ("beancount", "beancount"), ("hledger", "journal")):
            answer = shop.call("GET", f"export?format={name}")
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{shop.name}.{suffix}"'
            assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("accept", ["*/*", "text/*", "text/csv", "application/json;q=0.5, text/csv"])
    def test_is_given_to_whoever_takes_it(self, shop: Shop, accept: str) -> None:
        assert shop.call("GET", "export?format=csv", Accept=accept).status_int == 200

    @pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "image/png"])
    def test_is_refused_to_whoever_does_not(self, shop: Shop, accept: str) -> None:
        shop.refused("not-acceptable", "GET", "export?format=csv", Accept=accept)

    def test_refuses_what_it_cannot_understand(self, shop: Shop) -> None:
        shop.refused("bad-parameter", "GET", "export?format=qif")
        shop.refused("bad-parameter", "GET", "export?from=yesterday")
        shop.refused("bad-parameter", "GET", "export?limit=5")
        shop.refused("not-found", "GET", "/v1/ledgers/nowhere/export")

    def test_of_an_empty_ledger_is_whole(self, shop: Shop) -> None:
        assert ndjson(shop)[-1] == {"line": "total", "transactions": 0, "postings": 0, "prices": 0}
        assert rows(shop) == []

    def test_head_has_no_body(self, shop: Shop) -> None:
        answer = shop.call("HEAD", "export?format=csv")

        assert (answer.status_int, answer.body) == (200, b"")
