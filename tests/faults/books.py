"""The whole application over a database that is about to fail, and what every answer to that has to be like."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import webtest
from sqlalchemy.engine import Engine

import myapp
from myapp.api import problems
from myapp.db.limits import admission
from tests.functional.api.shop import Shop, sale

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}

SHORT_SECONDS = "0.5"
# That, what a silent server is granted beyond it, and a slow machine.
FAR_LATER = 8.0
# Nobody outside is told what the database is called, where it is, or what it was asked.
SECRETS = ("Traceback", "psycopg", "sqlite", "sqlalchemy", "SELECT", "INSERT", "127.0.0.1", "postgres", "/", "secret")


class Books:
    """A shop's books, and the pool beneath them."""

    def __init__(self, url: str, **settings: str) -> None:
        self.app = myapp.main({}, **{"sqlalchemy.url": url, "myapp.auth": "open", **settings})
        self.engine: Engine = self.app.registry["db.engine"]
        self.shop = Shop(webtest.TestApp(self.app, extra_environ=LOOPBACK))

    def sell(self, **more: Any) -> None:
        """Record a sale, as is possible while nothing is wrong."""
        self.shop.must(201, "POST", "transactions", sale(), **more)

    def sell_soon(self) -> webtest.TestResponse:
        """Try to record a sale within a short time."""
        return self.shop.call("POST", "transactions", sale(), Request_Timeout=SHORT_SECONDS)

    def refuse(self, code: str, ask: Callable[[], webtest.TestResponse] | None = None) -> webtest.TestResponse:
        """Be refused with this code, in time, politely, with nothing left behind; by default a sale."""
        began = time.monotonic()
        answer = ask() if ask is not None else self.shop.call("POST", "transactions", sale())
        assert time.monotonic() - began < FAR_LATER

        assert (answer.status_int, answer.json["code"]) == (problems.KINDS[code].status, code), answer.text
        assert ("Retry-After" in answer.headers) == (code != "internal")
        told = answer.json["title"] + answer.json["detail"]
        assert not [secret for secret in SECRETS if secret in told]
        self.require_nothing_held()
        return answer

    def require_nothing_held(self) -> None:
        lines = admission.of(self.engine)
        assert self.engine.pool.checkedout() == 0
        assert [line.taken for line in (lines.connections, lines.writers) if line is not None and line.taken] == []


@contextmanager
def books(url: str, **settings: str) -> Iterator[Books]:
    """Lend the application, with a shop's books opened."""
    made = Books(url, **settings)
    try:
        made.shop.open()
        made.sell()
        yield made
    finally:
        made.engine.dispose()
