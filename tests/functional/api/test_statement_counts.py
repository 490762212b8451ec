"""How many SQL statements each endpoint takes: the table in docs/api.md, which has to be true.

BEGIN, COMMIT and SQLite's pragmas are not counted. The numbers do not depend on how much there is to read or write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.router import Router

from tests.functional.api.shop import CASH, Shop, sale

TABLE = Path(__file__).parents[3] / "docs" / "api.md"
ROW = re.compile(
    r"^\| `(?P<method>[A-Z]+) (?P<path>[^`]*)`(?P<how>[^|]*)\| (?P<sqlite>\d+) \| (?P<postgresql>\d+) \|$", re.MULTILINE
)

pytestmark = pytest.mark.commits


@pytest.fixture
def statements(committing_app: webtest.TestApp) -> Iterator[list[str]]:
    """Return the list to which every statement of the application is added."""
    engine = committing_app.app.registry["db.engine"]
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN", "SET ")):
            seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


def requests(shop: Shop, recorded: str) -> dict[str, tuple[str, str, Any, dict[str, str]]]:
    """Return a request by the row of the table that is about it."""
    many = {"transactions": [sale() for _ in range(40)]}
    key = {"Idempotency_Key": "new"}
    return {
        "POST /v1/ledgers": ("POST", "/v1/ledgers", {"name": f"{shop.name}-2"}, {}),
        "GET /v1/ledgers": ("GET", "/v1/ledgers", None, {}),
        "GET …/{ledger}": ("GET", "", None, {}),
        "PUT …/currencies/{code}": ("PUT", "currencies/HOOL", {"exponent": 4}, {}),
        "GET …/currencies": ("GET", "currencies", None, {}),
        "GET …/currencies/{code}": ("GET", "currencies/USD", None, {}),
        "POST …/accounts": ("POST", "accounts", {"path": "assets:a", "type": "asset"}, {}),
        "POST …/accounts, with a limit": (
            "POST", "accounts", {"path": "assets:b", "type": "asset", "limits": {"USD": {"min": "0"}}}, {},
        ),
        "POST …/accounts, with a key": ("POST", "accounts", {"path": "assets:c", "type": "asset"}, key),
        "GET …/accounts": ("GET", "accounts", None, {}),
        "GET …/accounts/{path}": ("GET", f"accounts/{CASH}", None, {}),
        "PATCH …/accounts/{path}": ("PATCH", f"accounts/{CASH}", {"metadata": {}}, {}),
        "GET …/accounts/{path}/postings": ("GET", f"accounts/{CASH}/postings", None, {}),
        "POST …/transactions": ("POST", "transactions", sale(), {}),
        "POST …/transactions, with a key": ("POST", "transactions", sale(), {"Idempotency_Key": "another"}),
        "POST …/transactions, replayed": ("POST", "transactions", sale(), {"Idempotency_Key": "old"}),
        "POST …/transactions, dry run": ("POST", "transactions?dry_run=true", sale(), {}),
        "POST …/transactions/batch": ("POST", "transactions/batch", many, {}),
        "GET …/transactions": ("GET", "transactions", None, {}),
        "GET …/transactions/{id}": ("GET", f"transactions/{recorded}", None, {}),
        "GET …/verify": ("GET", "verify", None, {}),
        "GET /readyz": ("GET", "/readyz", None, {}),
        "GET /healthz": ("GET", "/healthz", None, {}),
    }  # fmt: skip


def documented(dialect: str) -> dict[str, int]:
    rows = ROW.finditer(TABLE.read_text(encoding="utf-8"))
    return {f"{row['method']} {row['path']}{row['how'].rstrip()}": int(row[dialect]) for row in rows}


def test_are_those_of_the_table(
    lasting_shop: Shop, statements: list[str], wsgi_app: Router, dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = lasting_shop
    recorded = shop.must(201, "POST", "transactions", sale(), Idempotency_Key="old")["id"]
    counted = {}

    for row, (method, path, body, headers) in requests(shop, recorded).items():
        statements.clear()
        answer = shop.call(method, path, body, **headers)
        assert answer.status_int < 300, answer.text
        counted[row] = len(statements)

    assert counted == documented(dialect)
