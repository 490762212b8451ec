"""Bank lines: matched, accepted and rejected over HTTP."""

from __future__ import annotations

import uuid

import pytest

from tests.functional.api.shop import CASH, SALES, Shop, bank_line, sale

CLEARING = "assets:clearing"
LINES = f"accounts/{CASH}/bank/lines"
MATCH = f"accounts/{CASH}/bank/match"
REPORT = f"accounts/{CASH}/bank/report"
IMPORTED = ("account", "against", "booked_on", "currency", "debit", "details", "transaction")


def payment(amount: str = "12.50", **more: object) -> dict[str, object]:
    """Return a transaction by which a customer owes no more, and the bank has not said so yet."""
    postings = [
        {"account": CLEARING, "debit": amount, "currency": "USD"},
        {"account": SALES, "credit": amount, "currency": "USD"},
    ]
    return {"effective_at": "2026-01-30", "postings": postings, **more}


@pytest.fixture
def books(shop: Shop) -> Shop:
    shop.must(201, "POST", "accounts", {"path": CLEARING, "type": "asset"})
    return shop


class TestJourney:
    def test_of_a_month(self, books: Shop) -> None:
        certain = books.must(201, "POST", "transactions", payment("100.00", reference="INV-1001"))
        likely = books.must(201, "POST", "transactions", payment(description="Invoice 7"))
        books.bank_lines(
            bank_line("100.00", text="INV-1001"), bank_line(counterparty="Anna"), bank_line("0.07", text="Interest"),
            clearing=CLEARING,
        )  # fmt: skip

        assert books.must(200, "POST", MATCH, {}) == {"matched": 1, "proposed": 1, "open": 1, "reopened": 0}
        matched, proposed, open_ = books.must(200, "GET", LINES)["items"]

        assert (matched["state"], matched["debit"], matched["match"]["transaction"]) == (
            "matched",
            "100.00",
            certain["id"],
        )
        assert matched["match"]["how"] == "rule"
        assert (proposed["state"], proposed["details"]) == ("proposed", {"counterparty": "Anna"})
        (proposal,) = proposed["proposals"]
        assert (proposal["transaction"], proposal["score"], proposal["description"]) == (likely["id"], 76, "Invoice 7")
        assert proposal["reasons"] == ["same amount", "1 day apart", "the only one of this amount"]
        accepted = books.must(200, "POST", f"bank/lines/{proposed['id']}/accept", {})
        assert (accepted["state"], accepted["proposals"]) == ("matched", [])
        recorded = books.must(200, "POST", f"bank/lines/{open_['id']}/record", {"to": SALES})
        assert recorded["match"]["how"] == "recorded"
        assert books.must(200, "GET", f"bank/lines/{open_['id']}") == recorded
        total = {"state": "matched", "currency": "USD", "lines": 3, "debits": "112.57", "credits": "0.00"}
        assert books.must(200, "GET", REPORT) == {"account": CASH, "totals": [total]}
        assert books.must(200, "GET", f"accounts/{CLEARING}")["balances"]["USD"]["balance"] == "0.00"
        assert books.must(200, "GET", "verify")["holds"] is True

    def test_of_a_mistake(self, books: Shop) -> None:
        for _ in range(2):
            books.must(201, "POST", "transactions", payment())
        (line,) = books.bank_lines(bank_line(), clearing=CLEARING)
        books.must(200, "POST", MATCH, {"days": 1})
        first, second = books.must(200, "GET", f"bank/lines/{line}")["proposals"]

        left = books.must(200, "POST", f"bank/lines/{line}/reject", {"transaction": first["transaction"]})
        assert [each["transaction"] for each in left["proposals"]] == [second["transaction"]]
        books.must(200, "POST", f"bank/lines/{line}/accept", {"transaction": second["transaction"]})
        opened = books.must(200, "POST", f"bank/lines/{line}/reject", {})

        assert (opened["state"], opened["match"], opened["proposals"]) == ("open", None, [])
        kinds = "bank_lines.imported,bank_line.imported,bank_line.rejected,bank_line.matched,bank_line.unmatched"
        told = books.must(200, "GET", f"events?types={kinds}")
        matched = {"line": line, "transaction": second["transaction"], "posting": 0, "how": "accepted"}
        assert [(each["type"], each["data"]) for each in told["items"]] == [
            ("bank_lines.imported", {"account": CASH, "against": CLEARING, "lines": 1}),
            ("bank_line.imported", {name: opened[name] for name in IMPORTED} | {"line": line}),
            ("bank_line.rejected", {"line": line, "transactions": [first["transaction"]]}),
            ("bank_line.matched", matched),
            ("bank_line.unmatched", {"line": line}),
        ]


class TestList:
    def test_pages_by_day_and_state(self, books: Shop) -> None:
        lines = [bank_line(str(n), f"2026-01-{31 - n:02}") for n in range(1, 4)]
        books.bank_lines(*lines, clearing=CLEARING)
        books.must(200, "POST", f"bank/lines/{books.bank_lines()[0]}/record", {"to": SALES})

        first = books.must(200, "GET", f"{LINES}?limit=2")
        second = books.must(200, "GET", f"{LINES}?limit=2&after={first['next']}")
        matched = books.must(200, "GET", f"{LINES}?state=matched")

        assert [each["debit"] for each in (*first["items"], *second["items"])] == ["3.00", "2.00", "1.00"]
        assert second["next"] is None
        assert [each["debit"] for each in matched["items"]] == ["3.00"]

    @pytest.mark.parametrize("query", ["state=shut", "account=x", "after=x"])
    def test_refuses_what_is_no_parameter(self, books: Shop, query: str) -> None:
        books.refused("bad-parameter", "GET", f"{LINES}?{query}")


@pytest.mark.commits
class TestRepeat:
    def test_with_a_key_is_done_once(self, lasting_shop: Shop) -> None:
        (line,) = lasting_shop.bank_lines(bank_line())
        lasting_shop.must(201, "POST", "accounts", {"path": "income:interest", "type": "income"})
        address, body = f"bank/lines/{line}/record", {"to": "income:interest"}

        first = lasting_shop.call("POST", address, body, Idempotency_Key="k")
        again = lasting_shop.call("POST", address, body, Idempotency_Key="k")

        assert (first.status_int, again.status_int) == (200, 200)
        assert again.body == first.body
        assert again.headers["Idempotency-Replayed"] == "true"
        lasting_shop.refused("already-matched", "POST", address, body)
        lasting_shop.refused("idempotency-mismatch", "POST", address, {"to": SALES}, Idempotency_Key="k")


class TestLate:
    def test_is_recorded_in_the_open_period(self, books: Shop) -> None:
        (line,) = books.bank_lines(bank_line(), clearing=CLEARING)
        books.must(200, "PATCH", "", {"locked_before": "2026-02-01"})
        address = f"bank/lines/{line}/record"

        problem = books.refused("period-locked", "POST", address, {"to": SALES})
        recorded = books.must(200, "POST", address, {"to": SALES, "effective_at": "2026-02-03"})

        assert [each["pointer"] for each in problem["errors"]] == ["/effective_at"]
        made = books.must(200, "GET", f"transactions/{recorded['match']['transaction']}")
        assert (made["effective_at"], recorded["booked_on"]) == ("2026-02-03T00:00:00Z", "2026-01-31")


class TestRefuse:
    def test_what_is_not_there(self, books: Shop) -> None:
        for line in (uuid.uuid4(), "seven"):
            books.refused("not-found", "GET", f"bank/lines/{line}")
            books.refused("not-found", "POST", f"bank/lines/{line}/accept", {})
            books.refused("not-found", "POST", f"bank/lines/{line}/record", {"to": SALES})
            books.refused("not-found", "POST", f"bank/lines/{line}/reject", {})
        for method, address in (("GET", "lines"), ("GET", "report"), ("POST", "match")):
            books.refused("not-found", method, f"accounts/assets:none/bank/{address}", {} if method == "POST" else None)

    @pytest.mark.parametrize(
        ("address", "body"),
        [
            ("record", {"to": "a:"}),
            ("record", {}),
            ("accept", {"to": SALES}),
            ("accept", {"transaction": "seven"}),
            ("accept", {"score": 1}),
            ("reject", {"to": SALES}),
        ],
    )
    def test_what_makes_no_sense(self, books: Shop, address: str, body: object) -> None:
        (line,) = books.bank_lines(bank_line(), clearing=CLEARING)

        books.refused("validation-failed", "POST", f"bank/lines/{line}/{address}", body)

    @pytest.mark.parametrize("days", [-1, 367, "5", 1.5])
    def test_what_is_no_number_of_days(self, books: Shop, days: object) -> None:
        problem = books.refused("validation-failed", "POST", MATCH, {"days": days})

        assert problem["errors"][0]["pointer"] == "/days"

    def test_an_account_to_record_on_that_is_not_there(self, books: Shop) -> None:
        (line,) = books.bank_lines(bank_line(), clearing=CLEARING)

        problem = books.refused("unknown-account", "POST", f"bank/lines/{line}/record", {"to": "income:none"})

        assert problem["errors"] == [{"pointer": "/to", "detail": "There is no account income:none."}]

    def test_what_is_proposed_by_nobody_and_what_cannot_be_meant(self, books: Shop) -> None:
        (line,) = books.bank_lines(bank_line(), clearing=CLEARING)
        other = books.must(201, "POST", "transactions", sale())["id"]

        books.refused("nothing-proposed", "POST", f"bank/lines/{line}/accept", {})
        books.refused("nothing-proposed", "POST", f"bank/lines/{line}/reject", {})
        books.refused("not-matching", "POST", f"bank/lines/{line}/accept", {"transaction": other})
