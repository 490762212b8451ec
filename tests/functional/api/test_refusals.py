"""Every code of the table is reached, by what it is for; and no fault shows the client what is inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.router import Router
from pyramid.security import NO_PERMISSION_REQUIRED

from myapp import settings
from myapp.api import problems
from myapp.db import errors as db_errors
from tests.functional.api.shop import CASH, SALES, Shop, bank_line, refund, sale

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}
OTHER = {"postings": [{**sale()["postings"][0], "account": "assets:none"}, sale()["postings"][1]]}
UNBALANCED = {"postings": [sale()["postings"][0], sale("1.00")["postings"][1]]}


def _again(shop: Shop) -> Any:
    shop.must(201, "POST", "transactions", sale(), Idempotency_Key="k")
    return shop.call("POST", "transactions", sale("1.00"), Idempotency_Key="k")


def _duplicate(shop: Shop) -> Any:
    shop.must(201, "POST", "transactions", sale(reference="r"))
    return shop.call("POST", "transactions", sale(reference="r"))


def _closed(shop: Shop) -> Any:
    shop.must(200, "PATCH", f"accounts/{CASH}", {"closed": True})
    return shop.call("POST", "transactions", sale())


def _full(shop: Shop) -> Any:
    shop.must(200, "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"max": "1.00"}}})
    return shop.call("POST", "transactions", sale())


def _not_allowed(shop: Shop) -> Any:
    shop.must(201, "POST", "accounts", {"path": "assets:none", "type": "asset", "currencies": ["JPY"]})
    return shop.call("POST", "transactions", OTHER)


def _locked(shop: Shop) -> Any:
    shop.must(200, "PATCH", "", {"locked_before": "2026-02-01"})
    return shop.call("POST", "transactions", sale(effective_at="2026-01-31"))


def _not_pending(shop: Shop) -> Any:
    recorded = shop.must(201, "POST", "transactions", sale())
    return shop.call("POST", f"transactions/{recorded['id']}/post", {})


def _bank(shop: Shop, **bodies: Any) -> Any:
    """Do these things to a bank line, one after the other."""
    (line,) = shop.bank_lines(bank_line(), clearing=None)
    return [shop.call("POST", f"bank/lines/{line}/{verb}", body) for verb, body in bodies.items()][-1]


def _locked_type(session: Any) -> Any:
    pass


def _exceeding(shop: Shop) -> Any:
    hold = shop.must(201, "POST", "transactions", sale(pending=True))
    return shop.call("POST", f"transactions/{hold['id']}/post", sale("12.51"))


def _pending(shop: Shop) -> Any:
    hold = shop.must(201, "POST", "transactions", sale(pending=True))
    return shop.call("POST", f"transactions/{hold['id']}/reverse", {})


def _reversed(shop: Shop) -> Any:
    recorded = shop.must(201, "POST", "transactions", sale())
    shop.must(201, "POST", f"transactions/{recorded['id']}/reverse", {})
    return shop.call("POST", f"transactions/{recorded['id']}/reverse", {})


def _otherwise(shop: Shop) -> Any:
    wanted = sale()
    wanted["postings"][0]["if"] = {"version": 7}
    return shop.call("POST", "transactions", wanted)


REACHED: dict[str, Callable[[Shop], Any]] = {
    "malformed-json": lambda shop: shop.call("POST", "transactions", raw=b"{"),
    "bad-parameter": lambda shop: shop.call("GET", "transactions?limit=x"),
    "not-found": lambda shop: shop.call("GET", "accounts/nowhere"),
    "method-not-allowed": lambda shop: shop.call("DELETE", f"accounts/{CASH}"),
    "not-acceptable": lambda shop: shop.call("GET", Accept="text/html"),
    "already-exists": lambda shop: shop.call("POST", "/v1/ledgers", {"name": shop.name}),
    "duplicate-reference": _duplicate,
    "insufficient-funds": lambda shop: shop.call("POST", "transactions", refund()),
    "limit-exceeded": _full,
    "account-closed": _closed,
    "period-locked": _locked,
    "not-pending": _not_pending,
    "exceeds-hold": _exceeding,
    "not-posted": _pending,
    "already-reversed": _reversed,
    "condition-failed": _otherwise,
    "precondition-failed": lambda shop: shop.call("PATCH", f"accounts/{CASH}", {}, If_Match='"7-00000000"'),
    "unsupported-media-type": lambda shop: shop.call("POST", "accounts", raw=b"a=1", **{"Content-Type": "text/plain"}),
    "validation-failed": lambda shop: shop.call("POST", "accounts", {}),
    "unbalanced-transaction": lambda shop: shop.call("POST", "transactions", UNBALANCED),
    "unknown-account": lambda shop: shop.call("POST", "transactions", OTHER),
    "unknown-currency": lambda shop: shop.call(
        "POST", "transactions", json.loads(json.dumps(sale()).replace("USD", "XQZ"))
    ),
    "currency-not-allowed": _not_allowed,
    "amount-precision": lambda shop: shop.call("POST", "transactions", sale("0.001")),
    "amount-out-of-range": lambda shop: shop.call("POST", "transactions", sale("9" * 40)),
    "already-matched": lambda shop: _bank(shop, record={"to": SALES}, accept={}),
    "nothing-proposed": lambda shop: _bank(shop, accept={}),
    "not-matching": lambda shop: _bank(shop, accept={"transaction": "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31"}),
    "url-not-allowed": lambda shop: shop.call("POST", "webhooks", {"url": "http://shop.example"}),
    "idempotency-mismatch": _again,
}

# Reached elsewhere: with keys, with a small bound, and by the faults below.
REACHED_ELSEWHERE = {
    "missing-price": "test_prices",
    "not-sealed": "test_seals",
    "unauthenticated": "test_authorisation",
    "forbidden": "test_authorisation",
    "too-large": "test_hostile_input",
    "idempotency-in-progress": "TestLockedOut",
    "conflict": "TestFaults",
    "internal": "TestFaults",
    "unavailable": "TestFaults",
    "overloaded": "TestFaults",
    "read-only": "TestFaults",
    "deadline-exceeded": "TestFaults",
    "outcome-unknown": "TestFaults",
}


POINTERS = {
    "already-exists": "/name",
    "duplicate-reference": "/reference",
    "insufficient-funds": "/postings/1",
    "limit-exceeded": "/postings/0",
    "account-closed": "/postings/0/account",
    "period-locked": "/effective_at",
    "not-pending": "",
    "exceeds-hold": "/postings/0/debit",
    "not-posted": "",
    "already-reversed": "",
    "condition-failed": "/postings/0/if",
    "validation-failed": "",
    "unbalanced-transaction": "/postings",
    "unknown-account": "/postings/0/account",
    "unknown-currency": "/postings/0/currency",
    "currency-not-allowed": "/postings/0/currency",
    "amount-precision": "/postings/0/debit",
    "amount-out-of-range": "/postings/0/debit",
}


class TestEveryCode:
    def test_of_the_table_is_reached(self) -> None:
        assert {*REACHED, *REACHED_ELSEWHERE} == set(problems.KINDS)

    @pytest.mark.parametrize("code", REACHED)
    def test_has_its_status_and_its_page(self, shop: Shop, code: str) -> None:
        kind = problems.KINDS[code]

        response = REACHED[code](shop)

        assert response.content_type == "application/problem+json"
        assert (response.status_int, response.json["code"]) == (kind.status, code), response.text
        assert (response.json["title"], response.json["type"]) == (kind.title, f"/problems/{code}")
        assert response.headers["Cache-Control"] == "no-store"
        assert [each["pointer"] for each in response.json.get("errors", ())] == (
            [POINTERS[code]] if code in POINTERS else []
        )
        page = shop.must(200, "GET", response.json["type"])
        assert (page["code"], page["status"]) == (code, kind.status)


@pytest.fixture(scope="session")
def faulty_app(tmp_path_factory: pytest.TempPathFactory) -> webtest.TestApp:
    """Return an application with a view that fails as its address says."""
    url = f"sqlite:///{tmp_path_factory.mktemp('faults') / 'empty.sqlite'}"
    raw = {"sqlalchemy.url": url, "myapp.auth": "open", "retry.attempts": "1"}
    with Configurator(settings=raw) as config:
        config.registry["myapp.settings"] = settings.read(raw, {}).application
        config.include("myapp.db")
        config.include("myapp.api")
        config.add_route("fault", "/fault/{when}/{what}")
        config.add_view(fault, route_name="fault", permission=NO_PERMISSION_REQUIRED, request_method="POST")
    return webtest.TestApp(config.make_wsgi_app(), extra_environ=LOOPBACK)


class TestFaults:
    """What the database or the code does wrong, raised by a view of the test's own."""

    @pytest.mark.parametrize("when", ["view", "commit"])
    @pytest.mark.parametrize(
        ("what", "code"),
        [
            ("Conflict", "conflict"),
            ("Unavailable", "unavailable"),
            ("OutcomeUnknown", "outcome-unknown"),
            ("Overloaded", "overloaded"),
            ("ReadOnly", "read-only"),
            ("DeadlineExceeded", "deadline-exceeded"),
            ("TimeoutError", "overloaded"),
            ("OperationalError", "unavailable"),
            ("IntegrityError", "internal"),
            ("SessionEnded", "internal"),
            ("RuntimeError", "internal"),
        ],
    )
    def test_have_one_meaning_in_the_view_and_at_commit(
        self, faulty_app: webtest.TestApp, caplog: pytest.LogCaptureFixture, when: str, what: str, code: str
    ) -> None:
        with caplog.at_level(logging.INFO):
            answer = faulty_app.post(f"/fault/{when}/{what}", status="*", headers={"X-Request-Id": "find-me"})

        assert (answer.status_int, answer.json["code"]) == (problems.KINDS[code].status, code)
        assert answer.headers["X-Request-Id"] == answer.json["request_id"] == "find-me"
        assert ("Retry-After" in answer.headers) == (code != "internal")
        assert "secret" not in answer.text
        assert "find-me" in caplog.text
        assert ("Traceback" in caplog.text) == (code == "internal")

    @pytest.mark.commits
    @pytest.mark.not_for("faults")
    @pytest.mark.parametrize(("wish", "code"), [("soon", "bad-parameter"), ("0.000001", "deadline-exceeded")])
    def test_of_a_hurry_too_great_leave_nothing_behind(
        self, make_wsgi_app: Callable[..., Router], wish: str, code: str
    ) -> None:
        shop = Shop(webtest.TestApp(make_wsgi_app(), extra_environ=LOOPBACK)).open()

        refused = shop.call("POST", "transactions", sale(), Request_Timeout=wish)

        assert (refused.status_int, refused.json["code"]) == (problems.KINDS[code].status, code)
        assert ("Request-Timeout" in refused.json["detail"]) == (code == "bad-parameter")
        assert ("Retry-After" in refused.headers) == (code == "deadline-exceeded")
        assert shop.must(200, "GET", "transactions")["items"] == []
        shop.must(201, "POST", "transactions", sale(), Request_Timeout="9.5")

    @pytest.mark.commits
    @pytest.mark.not_for("faults")
    def test_of_a_full_pool_is_overload_within_the_wait(self, make_wsgi_app: Callable[..., Router]) -> None:
        wsgi_app = make_wsgi_app(**{"db.pool_size": "1", "db.pool_timeout_seconds": "0.2"})
        shop = Shop(webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)).open()

        with wsgi_app.registry["db.engine"].connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            refused = shop.call("POST", "transactions", sale())
            ready = shop.call("GET", "/readyz")
            alive = shop.call("GET", "/healthz")

        assert (refused.status_int, refused.json["code"], refused.headers["Retry-After"]) == (503, "overloaded", "1")
        assert (ready.status_int, alive.status_int) == (503, 200)
        assert shop.call("GET", "/readyz").status_int == 200


def fault(request: Any) -> Any:
    """Fail as the address says."""
    error = _error(request.matchdict["what"])
    if request.matchdict["when"] == "view":
        raise error
    request.tm.get().addBeforeCommitHook(_raise, (error,))
    return request.response


def _error(what: str) -> Exception:
    if hasattr(db_errors, what):
        return getattr(db_errors, what)("secret" if what.startswith("Session") else "The database did something.")
    if what == "TimeoutError":
        return sa.exc.TimeoutError("secret")
    if what == "RuntimeError":
        return RuntimeError("secret")
    return getattr(sa.exc, what)("INSERT secret", {}, Exception("secret"))


def _raise(error: Exception) -> None:
    raise error


# SQLite has one writer: he is waited for as a whole, which is `unavailable`, and there is nothing to serialize.
@pytest.mark.commits
@pytest.mark.not_for("faults")
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
class TestLockedOut:
    def test_second_request_with_a_key_is_told_that_the_first_still_runs(
        self, make_wsgi_app: Callable[..., Router], dialect: str
    ) -> None:
        wsgi_app = make_wsgi_app(**{"db.lock_timeout_seconds": "0.3"})
        shop = Shop(webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)).open()
        engine = wsgi_app.registry["db.engine"]
        row = (
            "INSERT INTO idempotency (ledger_id, key, request_hash, created_at) "
            "SELECT id, 'k', '', now() FROM ledgers WHERE name = %s"
        )

        with engine.connect() as first:
            first.exec_driver_sql(row, (shop.name,))
            for path, body in (("transactions", sale()), ("accounts", {"path": "a", "type": "asset"})):
                refused = shop.call("POST", path, body, Idempotency_Key="k")
                assert (refused.status_int, refused.json["code"]) == (409, "idempotency-in-progress"), refused.text
                assert refused.headers["Retry-After"] == "1"

    def test_serialization_failure_is_a_conflict_once_the_attempts_are_used_up(
        self, make_wsgi_app: Callable[..., Router], dialect: str
    ) -> None:
        wsgi_app = make_wsgi_app(**{"db.isolation": "SERIALIZABLE", "retry.attempts": "1"})
        shop = Shop(webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)).open()
        engine = wsgi_app.registry["db.engine"]
        # Of this database alone: other tests wait for locks on the same server.
        here = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database()"
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({here})"

        with ThreadPoolExecutor(1) as pool, engine.connect() as other:
            other.exec_driver_sql(
                "UPDATE balances SET version = version WHERE ledger_id = (SELECT id FROM ledgers WHERE name = %s)",
                (shop.name,),
            )
            answer = pool.submit(shop.call, "POST", "transactions", sale())
            while not answer.done() and not other.exec_driver_sql(waiting).scalar_one():
                pass
            other.commit()
            refused = answer.result()

        assert (refused.status_int, refused.json["code"], refused.headers["Retry-After"]) == (409, "conflict", "1")
