"""Keys, their scopes and their ledgers; and access that is open to this machine alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import webtest
from pyramid.router import Router

from myapp.db import scope
from myapp.db.telemetry.counting import count_statements
from myapp.ledger import access, queries
from tests.functional.api.shop import CASH, SALES, Shop, sale

NOW = datetime(2026, 1, 1, tzinfo=UTC)

REQUESTS = [
    ("read", "GET", "", None, 200),
    ("read", "GET", "currencies", None, 200),
    ("read", "GET", "currencies/USD", None, 200),
    ("read", "GET", "accounts", None, 200),
    ("read", "GET", f"accounts/{CASH}", None, 200),
    ("read", "GET", f"accounts/{CASH}/postings", None, 200),
    ("read", "GET", "transactions", None, 200),
    ("read", "GET", "transactions/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", None, 404),
    ("read", "GET", f"accounts/{CASH}/bank/lines", None, 200),
    ("read", "GET", f"accounts/{CASH}/bank/report", None, 200),
    ("read", "GET", "bank/lines/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", None, 404),
    ("read", "GET", "transactions/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31/proof", None, 404),
    ("read", "GET", "seals", None, 200),
    ("read", "GET", "verify", None, 200),
    ("write", "POST", f"accounts/{CASH}/bank/match", {}, 200),
    ("write", "POST", "bank/lines/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31/accept", {}, 404),
    ("write", "POST", "bank/lines/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31/record", {"to": SALES}, 404),
    ("write", "POST", "bank/lines/01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31/reject", {}, 404),
    ("write", "PUT", "currencies/HOOL", {"exponent": 4}, 201),
    ("write", "POST", "accounts", {"path": "assets:bank", "type": "asset"}, 201),
    ("write", "PATCH", f"accounts/{CASH}", {"metadata": {}}, 200),
    ("write", "POST", "transactions", sale(), 201),
    ("write", "POST", "transactions/batch", {"transactions": [sale()]}, 201),
]

pytestmark = pytest.mark.commits


@pytest.fixture
def keyed_app(keyed_wsgi_app: Router) -> webtest.TestApp:
    return webtest.TestApp(keyed_wsgi_app)


@pytest.fixture
def make_key(keyed_wsgi_app: Router) -> Callable[..., tuple[str, str]]:
    """Return a function that makes a key as the command line does, and returns its id and its secret."""

    def make(wanted: str, ledger: str | None = None) -> tuple[str, str]:
        with scope.session_scope(keyed_wsgi_app.registry["db.sessions"]) as session:
            found = None if ledger is None else queries.get_ledger(session, ledger)
            key, secret = access.create_key(session, name=None, scope=access.Scope(wanted), ledger=found, now=NOW)
        return key.id, secret

    return make


@pytest.fixture
def books(keyed_app: webtest.TestApp, make_key: Callable[..., tuple[str, str]]) -> Shop:
    """Return a shop whose client has an admin key for all ledgers."""
    return Shop(keyed_app, headers=bearer(make_key("admin")[1])).open()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(("needed", "method", "path", "body", "status"), REQUESTS)
class TestScopes:
    def test_cover_what_they_should_in_their_ledger(
        self,
        books: Shop,
        make_key: Callable[..., tuple[str, str]],
        needed: str,
        method: str,
        path: str,
        body: object,
        status: int,
    ) -> None:
        for held in ("read", "write", "admin"):
            books.headers = bearer(make_key(held, books.name)[1])
            if held == "read" and needed == "write":
                assert "write" in books.refused("forbidden", method, path, body)["detail"]
            else:
                assert books.call(method, path, body).status_int in (status, 409 if method == "POST" else 200)

    def test_cover_no_other_ledger(
        self,
        books: Shop,
        make_key: Callable[..., tuple[str, str]],
        needed: str,
        method: str,
        path: str,
        body: object,
        status: int,
    ) -> None:
        other = Shop(books.app, headers=books.headers).open()
        books.headers = bearer(make_key("admin", other.name)[1])

        books.refused("forbidden", method, path, body)

    def test_are_asked_for(self, books: Shop, needed: str, method: str, path: str, body: object, status: int) -> None:
        books.headers = {}

        response = books.call(method, path, body)

        assert (response.status_int, response.json["code"]) == (401, "unauthenticated")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


class TestOutsideALedger:
    def test_only_an_admin_of_all_makes_ledgers(self, books: Shop, make_key: Callable[..., tuple[str, str]]) -> None:
        for held in (make_key("write"), make_key("admin", books.name)):
            books.headers = bearer(held[1])
            books.refused("forbidden", "POST", "/v1/ledgers", {"name": "another"})

    def test_a_key_of_one_ledger_sees_that_one_only(
        self, books: Shop, make_key: Callable[..., tuple[str, str]]
    ) -> None:
        Shop(books.app, headers=books.headers).open()
        books.headers = bearer(make_key("read", books.name)[1])

        assert [each["name"] for each in books.must(200, "GET", "/v1/ledgers")["items"]] == [books.name]


class TestCredentials:
    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer \xff\x80", "nonsense"]
    )
    def test_that_are_none_are_refused_before_anything_is_read(self, books: Shop, header: str) -> None:
        books.headers = {"Authorization": header}

        books.refused("unauthenticated", "POST", "/v1/ledgers/no-such-ledger/transactions", raw=b"{not json")

    def test_that_were_revoked_are_refused(
        self, books: Shop, make_key: Callable[..., tuple[str, str]], keyed_wsgi_app: Router
    ) -> None:
        key_id, secret = make_key("read", books.name)
        books.headers = bearer(secret)
        books.must(200, "GET")

        with scope.session_scope(keyed_wsgi_app.registry["db.sessions"]) as session:
            access.revoke_key(session, key_id, now=NOW)

        books.refused("unauthenticated", "GET")

    def test_are_not_in_the_database(self, make_key: Callable[..., tuple[str, str]], keyed_wsgi_app: Router) -> None:
        _id, secret = make_key("read")

        with scope.session_scope(keyed_wsgi_app.registry["db.sessions"], readonly=True) as session:
            stored = session.connection().exec_driver_sql("SELECT * FROM api_keys").all()

        assert not any(secret.encode() in bytes(str(value), "utf-8") for row in stored for value in row)


class TestOpenAccess:
    @pytest.mark.parametrize(
        "environ",
        [
            {"REMOTE_ADDR": "10.0.0.7"},
            {"REMOTE_ADDR": "127.0.0.1.evil"},
            {"REMOTE_ADDR": ""},
            {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
            {"HTTP_X_FORWARDED_PROTO": "https"},
            {"HTTP_X_FORWARDED_ANYTHING": ""},
            {"HTTP_FORWARDED": "for=10.0.0.7"},
            {"HTTP_VIA": "1.1 proxy"},
            {"HTTP_X_REAL_IP": "10.0.0.7"},
            {"HTTP_X_CLIENT_IP": "10.0.0.7"},
            {"HTTP_TRUE_CLIENT_IP": "10.0.0.7"},
            {"HTTP_CF_CONNECTING_IP": "10.0.0.7"},
            {"HTTP_HOST": "evil.example"},
            {"HTTP_HOST": "127.0.0.1.evil.example:6543"},
            {"HTTP_HOST": "localhost:x"},
        ],
    )
    def test_is_closed_to_everyone_else(self, shop: Shop, environ: dict[str, str]) -> None:
        answer = shop.app.get(shop.path, extra_environ={**shop.app.extra_environ, **environ}, status=403)

        assert answer.json["code"] == "forbidden"

    @pytest.mark.parametrize(
        "environ",
        [
            {"REMOTE_ADDR": "127.0.0.1"},
            {"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:6543"},
            {"HTTP_HOST": "localhost"},
            {"HTTP_HOST": "127.0.0.1:6543"},
        ],
    )
    def test_is_open_to_this_machine(self, shop: Shop, environ: dict[str, str]) -> None:
        shop.app.get(shop.path, extra_environ={**shop.app.extra_environ, **environ}, status=200)


class TestPrecedence:
    """The order of docs/ledger.md: see Note [Which refusal wins]."""

    def test_of_refusals_before_the_ledger_is_asked(
        self, books: Shop, make_key: Callable[..., tuple[str, str]]
    ) -> None:
        books.headers = bearer(make_key("read", books.name)[1])
        nowhere = "/v1/ledgers/nowhere/transactions"

        books.refused("malformed-json", "POST", nowhere, raw=b'{"postings": 1')
        books.refused("validation-failed", "POST", nowhere, {"postings": 1})
        books.refused("not-found", "POST", nowhere, sale())
        books.refused("forbidden", "POST", "transactions", sale("0.001"), Idempotency_Key="k")


@pytest.mark.parametrize(("wanted", "status"), [("write", 403), ("admin", 201)])
def test_replaying_a_log_takes_an_admin_key_of_the_ledger(
    books: Shop, make_key: Callable[..., tuple[str, str]], wanted: str, status: int
) -> None:
    body = {"deeds": [{"id": "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", "transaction": sale()}]}

    answer = books.call("POST", "replay", body, **bearer(make_key(wanted, books.name)[1]))

    assert answer.status_int == status


class TestWhatIsRemembered:
    """With `myapp.remember_seconds`, which the other tests set to 0."""

    @pytest.fixture
    def remembering(self, make_wsgi_app: Callable[..., Router], books: Shop) -> Shop:
        """Return the books as a process sees them that remembers."""
        app = make_wsgi_app(**{"myapp.auth": "keys", "myapp.remember_seconds": "0.5"})
        shop = Shop(webtest.TestApp(app))
        shop.name, shop.path = books.name, books.path
        return shop

    def test_a_revoked_key_is_refused_after_that_time_and_other_keys_at_once(
        self, remembering: Shop, make_key: Callable[..., tuple[str, str]], keyed_wsgi_app: Router
    ) -> None:
        key_id, secret = make_key("read", remembering.name)
        remembering.headers = bearer(secret)
        remembering.must(200, "GET", "accounts")
        with scope.session_scope(keyed_wsgi_app.registry["db.sessions"]) as session:
            access.revoke_key(session, key_id, now=NOW)
        time.sleep(0.6)

        remembering.refused("unauthenticated", "GET", "accounts")
        remembering.headers = bearer(secret[:-1])
        remembering.refused("unauthenticated", "GET", "accounts")

    def test_is_not_asked_for_again_meanwhile(
        self, remembering: Shop, make_key: Callable[..., tuple[str, str]]
    ) -> None:
        _id, secret = make_key("read", remembering.name)
        remembering.headers = bearer(secret)
        remembering.must(200, "GET", "transactions")
        engine = remembering.app.app.registry["db.engine"]

        with count_statements(engine) as statements:
            remembering.must(200, "GET", "transactions")

        statements.require(1)

    def test_never_shows_a_ledger_as_it_was(self, remembering: Shop, make_key: Callable[..., tuple[str, str]]) -> None:
        _id, secret = make_key("write", remembering.name)
        remembering.headers = bearer(secret)
        for number in range(3):
            remembering.must(200, "PATCH", body={"metadata": {"branch": str(number)}})
            assert remembering.must(200, "GET")["metadata"] == {"branch": str(number)}
