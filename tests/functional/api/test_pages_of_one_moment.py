"""A page is of one moment: somebody commits between any two of its statements, and none of it shows, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from pyramid.router import Router
from sqlalchemy.engine import Engine

from myapp.api import catalogue, pages, schemas
from myapp.db.telemetry.counting import count_statements
from tests.functional.api.shop import CASH, SALES, Shop, sale

# A request that is repeated takes its statements again.
pytestmark = [pytest.mark.long, pytest.mark.commits, pytest.mark.not_for("faults")]


class Books:
    """A shop with a hold, and what may happen there again and again."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.opened = 0
        shop.must(201, "POST", "transactions", sale("50.00", effective_at="2026-01-31"))
        self.hold = shop.must(201, "POST", "transactions", sale("90.00", pending=True))["id"]

    def sell_late(self) -> None:
        """Sell before the page begins and on it."""
        sales = [sale("1.00", effective_at=day) for day in ("2026-01-30", "2026-02-01")]
        self.shop.must(201, "POST", "transactions/batch", {"transactions": sales})

    def open_and_move(self) -> None:
        """Open a till below the till and move money there: accounts are read by one statement, money by another."""
        self.opened += 1
        path = f"{CASH}:{self.opened}"
        self.shop.must(201, "POST", "accounts", {"path": path, "type": "asset"})
        postings = [
            {"account": path, "debit": "1.00", "currency": "USD"},
            {"account": CASH, "credit": "1.00", "currency": "USD"},
        ]
        self.shop.must(201, "POST", "transactions", {"postings": postings, "effective_at": "2026-01-30"})

    def limit(self) -> None:
        self.opened += 1
        change = {"limits": {"USD": {"max": f"{self.opened}000.00"}}, "metadata": {"limit": str(self.opened)}}
        self.shop.must(200, "PATCH", f"accounts/{CASH}", change)

    def post_part(self) -> None:
        postings = [
            {"account": CASH, "debit": "1.00", "currency": "USD"},
            {"account": SALES, "credit": "1.00", "currency": "USD"},
        ]
        self.shop.must(201, "POST", f"transactions/{self.hold}/post", {"postings": postings})


# What is read, and what happens meanwhile.
READS: Mapping[str, tuple[str, Callable[[Books], None]]] = {
    "accounts": ("accounts", Books.open_and_move),
    "accounts and their limits": ("accounts", Books.limit),
    "accounts at a time": ("accounts?at=2026-02-01", Books.open_and_move),
    "an account": (f"accounts/{CASH}", Books.limit),
    "a balance with children": ("accounts/assets/balance?children=true&at=2026-02-01", Books.open_and_move),
    "a statement": (f"accounts/{CASH}/postings?from=2026-01-31", Books.sell_late),
    "transactions": ("transactions", Books.post_part),
    "a transaction": ("transactions/{hold}", Books.post_part),
}


@contextmanager
def after_statement(engine: Engine, number: int, act: Callable[[], None]) -> Iterator[None]:
    """Act once, on other connections, after so many statements that read a table of the ledger's."""
    seen = 0

    def listen(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        nonlocal seen
        seen += text.startswith(("SELECT", "WITH"))
        if seen == number and text.startswith(("SELECT", "WITH")):
            seen += 1_000
            act()

    sa.event.listen(engine, "after_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(engine, "after_cursor_execute", listen)
    assert seen > 1_000


@pytest.mark.parametrize("name", READS)
def test_whoever_writes_between_its_statements(lasting_shop: Shop, wsgi_app: Router, name: str) -> None:
    books, engine = Books(lasting_shop), wsgi_app.registry["db.engine"]
    address, write = READS[name]
    address = address.format(hold=books.hold)
    with count_statements(engine) as statements:
        lasting_shop.must(200, "GET", address)

    for number in range(1, len(statements)):
        before = lasting_shop.must(200, "GET", address)
        with after_statement(engine, number, lambda: write(books)):
            seen = lasting_shop.must(200, "GET", address)
        after = lasting_shop.must(200, "GET", address)

        assert before != after
        assert seen in (before, after), f"after statement {number}"


def test_every_list_declares_it(wsgi_app: Router) -> None:
    lists = [
        view
        for view, _permission in catalogue.views(wsgi_app.registry)
        if view["request_methods"] == "GET" and _is_list((view.get("answers") or {}).get(200))
    ]

    assert len(lists) > 5
    # Of one statement, or of rows that never change.
    fixed = {"ledgers", "currencies", "webhooks"}
    assert [
        view["route_name"]
        for view in lists
        if view["route_name"] not in fixed
        and (view.get("db") or {}).get("isolation") != pages.ONE_SNAPSHOT["isolation"]
    ] == []


def _is_list(answer: Any) -> bool:
    return getattr(answer, "__origin__", None) is schemas.Listed
