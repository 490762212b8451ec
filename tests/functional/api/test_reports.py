"""Reports as their readers get them: a year of a small shop that also has euros, and a loan below its own path."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
import webtest

from tests.functional.api.shop import CASH, SALES, Shop

REPORTS = ("trial-balance", "balance-sheet", "income-statement")


def moved(into: str, out_of: str, amount: str, day: str, currency: str = "USD") -> dict[str, Any]:
    return {
        "postings": [
            {"account": into, "debit": amount, "currency": currency},
            {"account": out_of, "credit": amount, "currency": currency},
        ],
        "effective_at": day,
    }


@pytest.fixture
def books(shop: Shop) -> Shop:
    """Return a shop with an opening, a loan, sales in two currencies, an expense in February and one in March."""
    for path, kind in [
        ("assets:bank", "asset"),
        ("assets:bank:euro", "asset"),
        ("assets:bank:loan", "liability"),
        ("equity:opening", "equity"),
        ("expenses:rent", "expense"),
        ("expenses:-tips", "expense"),
        ("assets:unused", "asset"),
    ]:
        shop.must(201, "POST", "accounts", {"path": path, "type": kind})
    transactions = [
        moved(CASH, "equity:opening", "100.00", "2026-01-01"),
        moved("assets:bank", "assets:bank:loan", "500.00", "2026-01-15"),
        moved(CASH, SALES, "12.50", "2026-01-31T23:59:59.999999Z"),
        moved("assets:bank:euro", SALES, "20.00", "2026-02-01", "EUR"),
        moved("expenses:rent", "assets:bank", "30.00", "2026-02-10"),
        moved("expenses:-tips", CASH, "0.50", "2026-03-01"),
    ]
    shop.must(201, "POST", "transactions/batch", {"transactions": transactions})
    return shop


def rows(answer: webtest.TestResponse) -> list[dict[str, str]]:
    assert answer.status_int == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def by_path(nodes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every node of a tree."""
    return {each["path"]: each for node in nodes for each in (node, *by_path(node["children"]).values())}


class TestTrialBalance:
    def test_has_every_account_in_its_column(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/trial-balance?at=2026-01-31")

        assert report["at"] == "2026-01-31T23:59:59.999999Z"
        assert (report["known_at"], report["value"]) == (None, None)
        assert report["totals"] == {"USD": {"debit": "612.50", "credit": "612.50"}}
        nodes = by_path(report["accounts"])
        assert nodes["assets"]["total"] == {"USD": {"debit": "612.50", "credit": "500.00"}}
        assert nodes["assets:bank:loan"] == {
            "path": "assets:bank:loan",
            "name": "loan",
            "type": "liability",
            "own": {"USD": {"debit": "0.00", "credit": "500.00"}},
            "total": {"USD": {"debit": "0.00", "credit": "500.00"}},
            "children": [],
        }
        assert (nodes["assets"]["type"], nodes["assets"]["own"]) == (None, {})
        assert "assets:unused" not in nodes

    def test_is_of_this_moment_without_a_time(self, books: Shop) -> None:
        books.must(201, "POST", "transactions", moved(CASH, SALES, "1.00", "9000-01-01"))

        assert books.must(200, "GET", "reports/trial-balance")["totals"]["USD"]["debit"] == "612.50"
        assert books.must(200, "GET", "reports/trial-balance?at=9000-01-01")["totals"]["USD"]["debit"] == "613.50"

    def test_counts_up_to_the_very_instant(self, books: Shop) -> None:
        before = books.must(200, "GET", "reports/trial-balance?at=2026-01-31T23:59:59.999998Z")

        assert before["totals"]["USD"]["debit"] == "600.00"

    def test_shows_accounts_of_zero_when_asked(self, books: Shop) -> None:
        nodes = by_path(books.must(200, "GET", "reports/trial-balance?zero=true")["accounts"])

        assert nodes["assets:unused"]["total"] == {}

    def test_as_known_at_an_earlier_time(self, books: Shop) -> None:
        known = books.must(200, "GET", "transactions?limit=1")["items"][0]["recorded_at"]
        books.must(201, "POST", "transactions", moved(CASH, SALES, "1.00", "2026-01-02"))

        now = books.must(200, "GET", "reports/trial-balance?at=2026-01-31")
        then = books.must(200, "GET", f"reports/trial-balance?at=2026-01-31&known_at={known}")

        assert (now["totals"]["USD"]["debit"], then["totals"]["USD"]["debit"]) == ("613.50", "612.50")
        assert then["known_at"] == known

    def test_of_an_empty_ledger_is_empty(self, shop: Shop) -> None:
        report = shop.must(200, "GET", "reports/trial-balance")

        assert (report["accounts"], report["totals"]) == ([], {})


class TestBalanceSheet:
    def test_balances_with_the_earnings_so_far(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/balance-sheet?at=2026-02-28")

        assert report["assets"]["total"] == {"EUR": "20.00", "USD": "582.50"}
        assert report["liabilities"]["total"] == {"EUR": "0.00", "USD": "500.00"}
        assert report["equity"]["earnings"] == {"EUR": "20.00", "USD": "-17.50"}
        assert report["equity"]["total"] == {"EUR": "20.00", "USD": "82.50"}
        assert report["liabilities_and_equity"] == report["assets"]["total"]
        assert "rounding" not in report["equity"]

    def test_shows_each_section_in_its_direction_and_its_own_accounts_only(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/balance-sheet?at=2026-02-28")

        owed = by_path(report["liabilities"]["accounts"])
        assert owed["assets"]["total"] == {"USD": "500.00"}
        assert (owed["assets:bank"]["type"], owed["assets:bank:loan"]["type"]) == (None, "liability")
        owned = by_path(report["assets"]["accounts"])
        assert owned["assets:bank"]["own"] == {"USD": "470.00"}
        assert owned["assets:bank"]["total"] == {"EUR": "20.00", "USD": "470.00"}
        assert "assets:bank:loan" not in owned

    def test_counts_what_is_deeper_in_the_last_level(self, books: Shop) -> None:
        (assets,) = books.must(200, "GET", "reports/balance-sheet?depth=1")["assets"]["accounts"]

        assert (assets["own"], assets["children"]) == ({"EUR": "20.00", "USD": "582.00"}, [])


class TestIncomeStatement:
    def test_is_of_what_began_in_the_period_and_stops_before_its_end(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/income-statement?from=2026-02-01&to=2026-03-01")

        assert (report["from"], report["to"]) == ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
        assert report["income"]["total"] == {"EUR": "20.00", "USD": "0.00"}
        assert report["expenses"]["total"] == {"EUR": "0.00", "USD": "30.00"}
        assert report["net"] == {"EUR": "20.00", "USD": "-30.00"}

    def test_is_of_everything_up_to_now_without_a_period(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/income-statement")

        assert report["from"] is None
        assert report["net"] == {"EUR": "20.00", "USD": "-18.00"}

    def test_of_periods_that_follow_each_other_adds_up(self, books: Shop) -> None:
        parts = [
            books.must(200, "GET", f"reports/income-statement?from={start}&to={end}")["net"].get("USD", "0.00")
            for start, end in [("2025-12-01", "2026-02-01"), ("2026-02-01", "2026-02-10"), ("2026-02-10", "2026-03-02")]
        ]

        assert parts == ["12.50", "0.00", "-30.50"]


class TestCsv:
    def test_has_a_row_for_each_path_and_currency_and_the_computed_lines(self, books: Shop) -> None:
        answer = books.call("GET", "reports/balance-sheet?at=2026-02-28&format=csv")

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{books.name}-balance-sheet.csv"'
        assert answer.text.splitlines()[0] == "section,line,path,type,currency,own,total"
        found = [tuple(row.values()) for row in rows(answer)]
        assert ("assets", "group", "assets", "", "USD", "0.00", "582.50") in found
        assert ("assets", "account", "assets:bank", "asset", "USD", "470.00", "470.00") in found
        assert ("equity", "earnings", "", "", "USD", "-17.50", "-17.50") in found
        assert ("liabilities and equity", "total", "", "", "EUR", "20.00", "20.00") in found

    def test_of_the_trial_balance_has_both_columns(self, books: Shop) -> None:
        found = [tuple(row.values()) for row in rows(books.call("GET", "reports/trial-balance?format=csv"))]

        assert ("account", "assets:bank:loan", "liability", "USD", "0.00", "500.00", "0.00", "500.00") in found
        assert ("total", "", "", "USD", "612.50", "612.50", "612.50", "612.50") in found

    def test_of_the_income_statement_ends_with_the_net(self, books: Shop) -> None:
        *_, last = rows(books.call("GET", "reports/income-statement?format=csv"))

        assert tuple(last.values()) == ("net", "net", "", "", "USD", "-18.00", "-18.00")

    def test_runs_in_no_spreadsheet(self, books: Shop) -> None:
        books.must(201, "POST", "accounts", {"path": "-1+1", "type": "asset"})
        books.must(201, "POST", "transactions", moved("-1+1", SALES, "1.00", "2026-01-01"))
        assert "'-1+1" in {row["path"] for row in rows(books.call("GET", "reports/balance-sheet?format=csv"))}

    @pytest.mark.parametrize(
        ("accept", "query", "media_type"),
        [
            ("text/csv", "", "text/csv"),
            ("text/csv;q=0.5, application/json", "", "application/json"),
            ("text/*", "", "text/csv"),
            ("*/*", "", "application/json"),
            ("*/*", "?format=csv", "text/csv"),
            ("text/csv", "?format=json", "application/json"),
        ],
    )
    def test_is_chosen_by_the_parameter_else_by_what_is_accepted(
        self, shop: Shop, accept: str, query: str, media_type: str
    ) -> None:
        for report in REPORTS:
            answer = shop.call("GET", f"reports/{report}{query}", Accept=accept)
            assert (answer.status_int, answer.content_type, answer.headers["Vary"]) == (200, media_type, "Accept")

    def test_adds_up_in_the_column_of_what_is_own(self, books: Shop) -> None:
        for query in ("", "&depth=1", "&depth=2", "&zero=true"):
            found = rows(books.call("GET", f"reports/trial-balance?format=csv{query}"))
            of_accounts = [row for row in found if row["line"] in ("account", "group") and row["currency"] == "USD"]
            assert sum(Decimal(row["debit"]) for row in of_accounts) == Decimal("612.50")


class TestRefusals:
    @pytest.mark.parametrize("report", REPORTS)
    @pytest.mark.parametrize(
        "query",
        ["depth=0", "depth=x", "zero=1", "format=xml", "known_at=yesterday", "value=usd", "price.EUR=-1", "x=1"],
    )
    def test_name_the_parameter(self, shop: Shop, report: str, query: str) -> None:
        problem = shop.refused("bad-parameter", "GET", f"reports/{report}?{query}")

        assert query.partition("=")[0].partition(".")[0] in problem["detail"]

    @pytest.mark.parametrize(
        ("report", "query"), [("trial-balance", "from=2026-01-01"), ("income-statement", "at=2026-01-01")]
    )
    def test_know_their_own_times_only(self, shop: Shop, report: str, query: str) -> None:
        shop.refused("bad-parameter", "GET", f"reports/{report}?{query}")

    @pytest.mark.parametrize("report", REPORTS)
    def test_prices_need_a_currency_to_value_in(self, books: Shop, report: str) -> None:
        problem = books.refused("bad-parameter", "GET", f"reports/{report}?price.EUR=1")

        assert "'price.EUR'" in problem["detail"]
        assert "'value'" in problem["detail"]

    @pytest.mark.parametrize("report", REPORTS)
    def test_what_is_valued_in_has_no_price(self, books: Shop, report: str) -> None:
        problem = books.refused("bad-parameter", "GET", f"reports/{report}?value=USD&price.EUR=1&price.USD=2")

        assert "'price.USD'" in problem["detail"]

    @pytest.mark.parametrize("report", REPORTS)
    def test_a_price_that_nothing_needs_is_none(self, books: Shop, report: str) -> None:
        without = books.must(200, "GET", f"reports/{report}?value=USD&price.EUR=1&known_at=2999-01-01")
        found = books.must(200, "GET", f"reports/{report}?value=USD&price.EUR=1&price.JPY=5&known_at=2999-01-01")

        assert [price["currency"] for price in found["value"]["prices"]] == ["EUR"]
        assert found["value"] == without["value"]

    def test_no_such_ledger(self, shop: Shop) -> None:
        shop.refused("not-found", "GET", "/v1/ledgers/nobody/reports/trial-balance")

    def test_what_is_not_accepted(self, shop: Shop) -> None:
        problem = shop.refused("not-acceptable", "GET", "reports/trial-balance", Accept="image/png")

        assert "application/json or text/csv" in problem["detail"]

    def test_no_such_currency_to_value_in(self, shop: Shop) -> None:
        shop.refused("unknown-currency", "GET", "reports/trial-balance?value=NOPE")


class TestValue:
    def test_is_by_the_prices_given(self, books: Shop) -> None:
        report = books.must(200, "GET", "reports/balance-sheet?value=USD&price.EUR=1.0850")

        assert report["value"] == {
            "currency": "USD",
            "prices": [{"currency": "EUR", "quote": "USD", "price": "1.0850", "effective_at": None}],
        }
        assert report["assets"]["total"] == {"USD": "603.70"}
        assert report["liabilities_and_equity"] == report["assets"]["total"]
        assert report["equity"]["rounding"] == {"USD": "0.00"}
        assert by_path(report["assets"]["accounts"])["assets:bank:euro"]["own"] == {"USD": "21.70"}

    @pytest.mark.parametrize("report", REPORTS)
    def test_needs_a_price_of_every_currency(self, books: Shop, report: str) -> None:
        problem = books.refused("missing-price", "GET", f"reports/{report}?value=USD")

        assert "EUR in USD" in problem["detail"]
        assert books.must(200, "GET", f"reports/{report}?value=USD&price.EUR=1")["value"]["currency"] == "USD"

    def test_shows_what_rounding_left_over(self, books: Shop) -> None:
        books.must(201, "POST", "transactions", moved(CASH, "equity:opening", "0.01", "2026-01-01", "EUR"))
        books.must(201, "POST", "transactions", moved("assets:bank", "equity:opening", "0.01", "2026-01-01", "EUR"))

        trial = books.must(200, "GET", "reports/trial-balance?value=USD&price.EUR=1.5")
        sheet = books.must(200, "GET", "reports/balance-sheet?value=USD&price.EUR=1.5")

        # One and a half cents are two, twice; three are three.
        assert trial["rounding"] == {"USD": {"debit": "0.00", "credit": "0.01"}}
        assert trial["totals"]["USD"]["debit"] == trial["totals"]["USD"]["credit"]
        assert sheet["equity"]["rounding"] == {"USD": "0.01"}
        assert sheet["liabilities_and_equity"] == sheet["assets"]["total"]
        lines = {
            row["line"] for row in rows(books.call("GET", "reports/trial-balance?format=csv&value=USD&price.EUR=1.5"))
        }
        assert "rounding" in lines
