from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.functional.api.shop import CASH, Shop, refund, sale

FEBRUARY = f"reports/account-statement?account={CASH}&from=2026-02-01&to=2026-03-01"
OF_FEBRUARY = {"opening": "100.00", "debits": "42.00", "credits": "7.00", "closing": "135.00"}


@pytest.fixture
def books(shop: Shop) -> Shop:
    """Return a shop that took 100 in January, 42 in February less 7, and 1 in March."""
    days = [
        sale("100.00", effective_at="2026-01-31T23:59:59.999999Z"),
        sale("40.00", effective_at="2026-02-01", reference="=first", description="@SUM(A1)"),
        refund("7.00", effective_at="2026-02-14"),
        sale("2.00", effective_at="2026-02-28T12:00:00Z"),
        sale("1.00", effective_at="2026-03-01"),
    ]
    shop.must(201, "POST", "transactions/batch", {"transactions": days})
    return shop


def lines(statement: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.get("debit") or f"-{item['credit']}", item["balance"]) for item in statement["items"]]


class TestAccountStatement:
    def test_has_what_it_began_with_its_lines_and_what_it_came_to(self, books: Shop) -> None:
        statement = books.must(200, "GET", FEBRUARY)

        assert statement["balances"] == {"USD": OF_FEBRUARY}
        assert lines(statement) == [("40.00", "140.00"), ("-7.00", "133.00"), ("2.00", "135.00")]
        assert (statement["account"], statement["type"], statement["next"]) == (CASH, "asset", None)
        assert (statement["from"], statement["to"]) == ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")

    def test_is_of_everything_up_to_now_without_a_period(self, books: Shop) -> None:
        books.must(201, "POST", "transactions", sale("5.00", effective_at="9000-01-01"))

        statement = books.must(200, "GET", f"reports/account-statement?account={CASH}")

        assert statement["balances"]["USD"] == {
            "opening": "0.00", "debits": "143.00", "credits": "7.00", "closing": "136.00",
        }  # fmt: skip

    def test_has_the_balances_of_the_period_on_each_of_its_pages(self, books: Shop) -> None:
        found, pages, address = [], 0, f"{books.path}/{FEBRUARY}&limit=2"
        while address:
            answer = books.call("GET", address)
            assert answer.json["balances"] == {"USD": OF_FEBRUARY}
            found += lines(answer.json)
            pages += 1
            address = answer.headers.get("Link", "").partition(">")[0].lstrip("<")

        assert (found, pages) == ([("40.00", "140.00"), ("-7.00", "133.00"), ("2.00", "135.00")], 2)

    def test_counts_towards_the_normal_side_of_the_account(self, books: Shop) -> None:
        statement = books.must(200, "GET", FEBRUARY.replace(CASH, "income:sales"))

        assert statement["balances"]["USD"] == {**OF_FEBRUARY, "debits": "7.00", "credits": "42.00"}

    def test_of_a_period_without_lines_still_says_what_there_is(self, books: Shop) -> None:
        statement = books.must(200, "GET", FEBRUARY.replace("-02-01", "-02-15").replace("-03-01", "-02-20"))

        assert statement["items"] == []
        assert statement["balances"]["USD"] == {
            "opening": "133.00", "debits": "0.00", "credits": "0.00", "closing": "133.00",
        }  # fmt: skip

    def test_as_known_at_an_earlier_time(self, books: Shop) -> None:
        known = books.must(200, "GET", "transactions?limit=1")["items"][0]["recorded_at"]
        books.must(201, "POST", "transactions", sale("3.00", effective_at="2026-01-02"))
        books.must(201, "POST", "transactions", sale("4.00", effective_at="2026-02-02"))

        then = books.must(200, "GET", f"{FEBRUARY}&known_at={known}")

        assert books.must(200, "GET", FEBRUARY)["balances"]["USD"]["closing"] == "142.00"
        assert then["balances"] == {"USD": OF_FEBRUARY}
        assert len(then["items"]) == 3

    def test_does_not_show_a_hold_until_it_is_posted(self, books: Shop) -> None:
        hold = books.must(201, "POST", "transactions", sale("9.00", effective_at="2026-02-02", pending=True))

        assert books.must(200, "GET", FEBRUARY)["balances"] == {"USD": OF_FEBRUARY}
        assert books.must(200, "GET", "reports/balance-sheet?at=2026-02-28")["assets"]["total"] == {"USD": "135.00"}
        books.must(201, "POST", f"transactions/{hold['id']}/post", {"effective_at": "2026-02-03"})
        assert books.must(200, "GET", FEBRUARY)["balances"]["USD"]["closing"] == "144.00"


class TestCsv:
    def test_has_the_opening_the_lines_the_totals_and_the_closing(self, books: Shop) -> None:
        answer = books.call("GET", f"{FEBRUARY}&format=csv")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        names = ("line", "effective_at", "reference", "description", "currency", "debit", "credit", "balance")
        assert [tuple(row[name] for name in names) for row in rows] == [
            ("opening", "", "", "", "USD", "", "", "100.00"),
            ("posting", "2026-02-01T00:00:00Z", "'=first", "'@SUM(A1)", "USD", "40.00", "", "140.00"),
            ("posting", "2026-02-14T00:00:00Z", "", "", "USD", "", "7.00", "133.00"),
            ("posting", "2026-02-28T12:00:00Z", "", "", "USD", "2.00", "", "135.00"),
            ("total", "", "", "", "USD", "42.00", "7.00", ""),
            ("closing", "", "", "", "USD", "", "", "135.00"),
        ]

    def test_in_pages_adds_up_to_the_same_rows(self, books: Shop) -> None:
        whole = books.call("GET", FEBRUARY, Accept="text/csv").text.splitlines()
        found, address = [whole[0]], f"{books.path}/{FEBRUARY}&limit=1"
        while address:
            answer = books.call("GET", address, Accept="text/csv")
            found += answer.text.splitlines()[1:]
            address = answer.headers.get("Link", "").partition(">")[0].lstrip("<")

        assert found == whole


class TestRefusals:
    def test_needs_an_account(self, shop: Shop) -> None:
        for query in ("", "?limit=5"):
            assert "'account'" in shop.refused("bad-parameter", "GET", f"reports/account-statement{query}")["detail"]

    def test_needs_an_account_that_there_is(self, shop: Shop) -> None:
        shop.refused("not-found", "GET", "reports/account-statement?account=assets:nowhere")
        shop.refused("bad-parameter", "GET", "reports/account-statement?account=a::b")

    @pytest.mark.parametrize("query", ["depth=1", "value=USD", "limit=0", "after=x", "format=xml"])
    def test_takes_no_parameter_that_means_nothing_to_it(self, shop: Shop, query: str) -> None:
        shop.refused("bad-parameter", "GET", f"reports/account-statement?account={CASH}&{query}")

    def test_a_period_ends_after_it_begins(self, shop: Shop) -> None:
        shop.refused("bad-parameter", "GET", f"{FEBRUARY.replace('2026-03', '2026-01')}")
