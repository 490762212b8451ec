"""A small shop's books, kept through the API: the client that these tests speak with."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import webtest

from myapp.db import scope
from myapp.ledger import bank, model, queries

CASH = "assets:cash"
SALES = "income:sales"


def sale(amount: str = "12.50", **more: Any) -> dict[str, Any]:
    """Return a transaction that puts the amount into the till."""
    return {
        "postings": [
            {"account": CASH, "debit": amount, "currency": "USD"},
            {"account": SALES, "credit": amount, "currency": "USD"},
        ],
        **more,
    }


def refund(amount: str = "12.50", **more: Any) -> dict[str, Any]:
    """Return a transaction that takes the amount out of the till."""
    return {
        "postings": [
            {"account": SALES, "debit": amount, "currency": "USD"},
            {"account": CASH, "credit": amount, "currency": "USD"},
        ],
        **more,
    }


def bank_line(amount: str = "12.50", day: str = "2026-01-31", **details: str) -> bank.NewLine:
    """Return a line of a statement by which the amount came in."""
    return bank.NewLine(
        booked_on=date.fromisoformat(day),
        side=model.Side.DEBIT,
        amount=Decimal(amount),
        currency="USD",
        details=details,
    )


class Shop:
    """A ledger with a till that cannot be overdrawn, and sales; every answer is returned, whatever its status."""

    def __init__(self, app: webtest.TestApp, *, headers: dict[str, str] | None = None) -> None:
        self.app = app
        self.headers = headers or {}
        self.name = f"shop-{secrets.token_hex(8)}"
        self.path = f"/v1/ledgers/{self.name}"

    def open(self) -> Shop:
        self.must(201, "POST", "/v1/ledgers", {"name": self.name})
        self.must(201, "POST", "accounts", {"path": CASH, "type": "asset", "limits": {"USD": {"min": "0.00"}}})
        self.must(201, "POST", "accounts", {"path": SALES, "type": "income"})
        return self

    def call(
        self, method: str, path: str = "", body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> webtest.TestResponse:
        """Call an address, below the ledger's unless it starts with a slash; header_names stand for Header-Names."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        address = path if path.startswith("/") else f"{self.path}/{path}".rstrip("/")
        return self.app.request(address, method=method, headers=sent, body=raw or b"", status="*")

    def must(self, status: int, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        """Call, and return the JSON of an answer that has to have this status."""
        response = self.call(method, path, body, **headers)
        assert response.status_int == status, response.text
        return response.json if response.body else None

    def refused(self, code: str, method: str, path: str = "", body: Any = None, **more: Any) -> Any:
        """Call, and return the problem document, which has to have this code."""
        response = self.call(method, path, body, **more)
        assert response.content_type == "application/problem+json", response.text
        problem = response.json
        assert problem["code"] == code, problem
        assert problem["status"] == response.status_int
        assert problem["type"] == f"/problems/{code}"
        assert problem["request_id"] == response.headers["X-Request-Id"]
        return problem

    def bank_lines(self, *lines: bank.NewLine, clearing: str | None = SALES) -> list[str]:
        """Take over lines of the till's statement, as the command line does, and return the ids of all it has."""
        registry = self.app.app.registry
        with scope.session_scope(registry["db.sessions"]) as session:
            ledger = queries.get_ledger(session, self.name)
            now, form = datetime(2026, 2, 1, tzinfo=UTC), registry["myapp.recording"]
            bank.import_lines(session, ledger, CASH, clearing=clearing, lines=lines, now=now, form=form)
            return [str(line.id) for line in bank.list_lines(session, ledger, CASH, limit=1000)]

    def cash(self) -> str:
        """Return what is in the till."""
        return self.must(200, "GET", f"accounts/{CASH}")["balances"]["USD"]["balance"]

    def trace(self) -> tuple[object, ...]:
        """Return all that the ledger shows, to compare before and after."""
        return tuple(self.must(200, "GET", path) for path in ("", "accounts", "transactions", "currencies"))
