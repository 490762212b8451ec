"""How many SQL statements each endpoint takes: the table in docs/api.md, which has to be true.

The numbers do not depend on how much there is to read or write.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router

from myapp.db import scope
from myapp.db.telemetry.counting import count_statements
from myapp.ledger import queries, sealing
from tests.functional.api.shop import CASH, SALES, Shop, bank_line, sale
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk

TABLE = Path(__file__).parents[3] / "docs" / "api.md"
ROW = re.compile(
    r"^\| `(?P<method>[A-Z]+) (?P<path>[^`]*)`(?P<how>[^|]*)\| (?P<sqlite>\d+) \| (?P<postgresql>\d+) \|$", re.MULTILINE
)

# A request that is repeated takes its statements again.
pytestmark = [pytest.mark.commits, pytest.mark.not_for("faults")]


def requests(shop: Shop, recorded: str, lines: list[str]) -> dict[str, tuple[str, str, Any, dict[str, str]]]:
    """Return a request by the row of the table that is about it."""
    many = {"transactions": [sale() for _ in range(40)]}
    held = shop.must(201, "POST", "transactions/batch", {"transactions": [sale(pending=True) for _ in range(62)]})
    holds = [each["id"] for each in held["items"]]
    replayed, holds = holds[:20], holds[20:]
    deeds = {"deeds": [{"id": str(uuid.uuid4()), "transaction": sale()} for _ in range(40)]}
    of_two_kinds = [
        *({"id": str(uuid.uuid4()), "transaction": sale(reference=f"replayed-{n}")} for n in range(40)),
        *({"id": str(uuid.uuid4()), "post": {"id": each}} for each in replayed),
    ]
    part = {"postings": sale("1.00")["postings"]}
    webhook = shop.must(201, "POST", "webhooks", {"url": "https://shop.example/"})["id"]
    key = {"Idempotency_Key": "new"}
    prices = [
        {"currency": "USD", "quote": "CHF", "price": "0.9", "effective_at": f"{n}-01-01"} for n in range(2000, 2040)
    ]
    later = [{**price, "price": "0.8"} for price in prices]
    return {
        "POST /v1/ledgers": ("POST", "/v1/ledgers", {"name": f"{shop.name}-2"}, {}),
        "GET /v1/ledgers": ("GET", "/v1/ledgers", None, {}),
        "GET …/{ledger}": ("GET", "", None, {}),
        "PATCH …/{ledger}": ("PATCH", "", {"metadata": {"branch": "7"}}, {}),
        "PUT …/currencies/{code}": ("PUT", "currencies/HOOL", {"exponent": 4}, {}),
        "GET …/currencies": ("GET", "currencies", None, {}),
        "GET …/currencies/{code}": ("GET", "currencies/USD", None, {}),
        "POST …/accounts": ("POST", "accounts", {"path": "assets:a", "type": "asset"}, {}),
        "POST …/accounts, with a limit": (
            "POST", "accounts", {"path": "assets:b", "type": "asset", "limits": {"USD": {"min": "0"}}}, {},
        ),
        "POST …/accounts, with a key": ("POST", "accounts", {"path": "assets:c", "type": "asset"}, key),
        "GET …/accounts": ("GET", "accounts", None, {}),
        "GET …/accounts, at a time": ("GET", "accounts?at=2100-01-01T12:00:00Z", None, {}),
        "GET …/accounts/{path}": ("GET", f"accounts/{CASH}", None, {}),
        "PATCH …/accounts/{path}": ("PATCH", f"accounts/{CASH}", {"metadata": {}}, {}),
        "GET …/accounts/{path}/balance": ("GET", f"accounts/{CASH}/balance", None, {}),
        "GET …/accounts/{path}/balance, of the tree at a time": (
            "GET", "accounts/assets/balance?children=true&at=2100-01-01T12:00:00Z&known_at=2100-01-01", None, {},
        ),
        "GET …/accounts/{path}/postings, from a time": (
            "GET", f"accounts/{CASH}/postings?from=2026-01-01&known_at=2100-01-01", None, {},
        ),
        "GET …/accounts/{path}/postings": ("GET", f"accounts/{CASH}/postings", None, {}),
        "POST …/transactions": ("POST", "transactions", sale(), {}),
        "POST …/transactions, with a key": ("POST", "transactions", sale(), {"Idempotency_Key": "another"}),
        "POST …/transactions, replayed": ("POST", "transactions", sale(), {"Idempotency_Key": "old"}),
        "POST …/transactions, dry run": ("POST", "transactions?dry_run=true", sale(), {}),
        "POST …/transactions, late": ("POST", "transactions", sale(effective_at="2026-01-31"), {}),
        "POST …/transactions, a hold": ("POST", "transactions", sale(pending=True), {}),
        "POST …/transactions/batch": ("POST", "transactions/batch", many, {}),
        "POST …/transactions/{id}/post": ("POST", f"transactions/{holds[0]}/post", {}, {}),
        "POST …/transactions/{id}/post, a part": ("POST", f"transactions/{holds[1]}/post", part, {}),
        "POST …/transactions/{id}/void": ("POST", f"transactions/{holds[1]}/void", {}, {}),
        "POST …/transactions/{id}/reverse": ("POST", f"transactions/{recorded}/reverse", {}, {}),
        "POST …/holds/post": ("POST", "holds/post", {"holds": [{"id": each} for each in holds[2:22]]}, {}),
        "POST …/holds/void": ("POST", "holds/void", {"holds": holds[22:]}, {}),
        "GET …/transactions": ("GET", "transactions", None, {}),
        "GET …/transactions, as known at a time": ("GET", "transactions?known_at=2100-01-01", None, {}),
        "GET …/transactions, by one part": ("GET", f"transactions?account={CASH}", None, {}),
        "GET …/transactions, by several": ("GET", f"transactions?account={CASH}&currency=USD", None, {}),
        "GET …/transactions/{id}": ("GET", f"transactions/{recorded}", None, {}),
        "GET …/accounts/{path}/bank/lines": ("GET", f"accounts/{CASH}/bank/lines", None, {}),
        "GET …/accounts/{path}/bank/report": ("GET", f"accounts/{CASH}/bank/report", None, {}),
        "POST …/accounts/{path}/bank/match": ("POST", f"accounts/{CASH}/bank/match", {}, {}),
        "GET …/bank/lines/{id}": ("GET", f"bank/lines/{lines[0]}", None, {}),
        "POST …/bank/lines/{id}/accept": ("POST", f"bank/lines/{lines[0]}/accept", {}, {}),
        "POST …/bank/lines/{id}/record": ("POST", f"bank/lines/{lines[1]}/record", {"to": SALES}, {}),
        "POST …/bank/lines/{id}/reject": ("POST", f"bank/lines/{lines[2]}/reject", {}, {}),
        "POST …/replay": ("POST", "replay", deeds, {}),
        "POST …/replay, of two kinds": ("POST", "replay", {"deeds": of_two_kinds}, {}),
        "GET …/export": ("GET", "export", None, {}),
        "GET …/events, the first after a change": ("GET", "events", None, {}),
        "GET …/events": ("GET", "events", None, {}),
        "GET …/reports/trial-balance": ("GET", "reports/trial-balance", None, {}),
        "GET …/reports/balance-sheet": ("GET", "reports/balance-sheet", None, {}),
        "GET …/reports/income-statement": ("GET", "reports/income-statement", None, {}),
        "GET …/reports/account-statement": (
            "GET", f"reports/account-statement?account={CASH}&from=2026-01-01", None, {},
        ),
        "GET …/reports/…, valued": ("GET", "reports/balance-sheet?value=CHF", None, {}),
        "POST …/prices": ("POST", "prices", {"prices": prices}, {}),
        "POST …/prices, with a key": ("POST", "prices", {"prices": later}, {"Idempotency_Key": "prices"}),
        "GET …/prices": ("GET", "prices", None, {}),
        "GET …/transactions/{id}/proof": ("GET", f"transactions/{recorded}/proof", None, {}),
        "GET …/seals": ("GET", "seals", None, {}),
        "POST …/webhooks": ("POST", "webhooks", {"url": "https://shop.example/"}, {}),
        "GET …/webhooks": ("GET", "webhooks", None, {}),
        "GET …/webhooks/{id}": ("GET", f"webhooks/{webhook}", None, {}),
        "PATCH …/webhooks/{id}": ("PATCH", f"webhooks/{webhook}", {"active": False}, {}),
        "POST …/webhooks/{id}/replay": ("POST", f"webhooks/{webhook}/replay", {"after": 0}, {}),
        "POST …/webhooks/{id}/ping": ("POST", f"webhooks/{webhook}/ping", {}, {}),
        "POST …/webhooks/{id}/secret": ("POST", f"webhooks/{webhook}/secret", {}, {}),
        "DELETE …/webhooks/{id}": ("DELETE", f"webhooks/{webhook}", None, {}),
        "GET …/verify": ("GET", "verify", None, {}),
        "GET /readyz": ("GET", "/readyz", None, {}),
        "GET /healthz": ("GET", "/healthz", None, {}),
        "GET /metrics": ("GET", "/metrics", None, {}),
    }  # fmt: skip


def prepared_lines(shop: Shop) -> list[str]:
    """Return a line with a proposal, one without, and one with a proposal, in the order of their days."""
    for amount, day in (("7.00", "2026-01-01"), ("9.00", "2026-01-03")):
        shop.must(201, "POST", "transactions", sale(amount, effective_at=day))
    days = (("7.00", "2026-01-01"), ("8.00", "2026-01-02"), ("9.00", "2026-01-03"))
    return shop.bank_lines(*(bank_line(*each) for each in days), clearing=None)


def seal(shop: Shop, wsgi_app: Router) -> None:
    sessions = wsgi_app.registry["db.sessions"]
    with scope.session_scope(sessions, readonly=True) as session:
        ledger = queries.get_ledger(session, shop.name)
    history.number(Desk(sessions, ledger))
    with scope.session_scope(sessions) as session:
        sealing.store(session, sealing.make_next(session, ledger, now=NOW))


def documented(dialect: str) -> dict[str, int]:
    rows = ROW.finditer(TABLE.read_text(encoding="utf-8"))
    return {f"{row['method']} {row['path']}{row['how'].rstrip()}": int(row[dialect]) for row in rows}


def test_are_those_of_the_table(lasting_shop: Shop, wsgi_app: Router, dialect: str) -> None:
    shop = lasting_shop
    recorded = shop.must(201, "POST", "transactions", sale(), Idempotency_Key="old")["id"]
    lines = prepared_lines(shop)
    shop.must(201, "POST", "prices", {"prices": [{"currency": "USD", "quote": "CHF", "price": "1"}]})
    seal(shop, wsgi_app)
    counted = {}

    for row, (method, path, body, headers) in requests(shop, recorded, lines).items():
        with count_statements(wsgi_app.registry["db.engine"]) as statements:
            answer = shop.call(method, path, body, **headers)
        assert answer.status_int < 300, answer.text
        counted[row] = len(statements)

    assert counted == documented(dialect)
