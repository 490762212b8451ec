"""SESSION promise 12: each thing that goes wrong with PostgreSQL has one answer, and the next request is served.

Provoked for real, on a server of the test's own; where that cannot be done, the server raises the error itself. That
each SQLSTATE means what the table says is in tests/integration/db/test_meanings.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
import sqlalchemy as sa

from myapp.db import constraints
from myapp.ledger import errors as ledger_errors
from tests.databases import PostgresqlDatabases
from tests.faults.books import FAR_LATER, Books, books
from tests.faults.cutting_proxy import CuttingProxy, cutting_proxy
from tests.functional.api.shop import sale
from tests.own_postgresql import OwnPostgresql

pytestmark = pytest.mark.commits

# What a statement of this server would do if the machine were worse.
ON_INSERT = (
    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$",
    "CREATE TRIGGER fail BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION fail()",
)
NO_MORE = "DROP FUNCTION fail CASCADE"

OpenBooks = Callable[..., Books]


@pytest.fixture(scope="module")
def kept_url(kept_postgresql: OwnPostgresql) -> str:
    """Return the URL of a migrated database; each test takes back what it does to it."""
    return PostgresqlDatabases(kept_postgresql.url, "books").template


@pytest.fixture
def url(kept_url: str, own_postgresql: OwnPostgresql) -> str:
    return kept_url


@pytest.fixture
def open_books(url: str) -> Iterator[OpenBooks]:
    with ExitStack() as stack:
        yield lambda url=url, **settings: stack.enter_context(books(url, **settings))


@pytest.fixture
def proxy(url: str) -> Iterator[CuttingProxy]:
    with cutting_proxy(url) as proxy:
        yield proxy


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def changed(url: str, change: str | Sequence[str], undo: str) -> Iterator[None]:
    """Change the database meanwhile."""
    execute(url, *([change] if isinstance(change, str) else change))
    try:
        yield
    finally:
        execute(url, "SET default_transaction_read_only = off", undo)


def on_insert(body: str) -> list[str]:
    return [statement.format(body=body) for statement in ON_INSERT]


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    with psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {table}")
        yield


OWNED = ("TABLES", "SEQUENCES")


class TestServer:
    @pytest.mark.parametrize("immediate", [False, True], ids=["stopped", "crashed"])
    def test_that_is_gone_is_unavailable(
        self, open_books: OpenBooks, own_postgresql: OwnPostgresql, immediate: bool, caplog: pytest.LogCaptureFixture
    ):
        found = open_books()
        own_postgresql.stop(immediate=immediate)

        found.refuse("unavailable")
        found.refuse("unavailable", lambda: found.shop.call("GET", "accounts"))
        assert "Traceback" not in caplog.text

        own_postgresql.start()
        found.sell()

    def test_that_came_back_is_not_noticed(self, open_books: OpenBooks, own_postgresql: OwnPostgresql):
        found = open_books()
        own_postgresql.stop(immediate=True)
        own_postgresql.start()

        found.sell()

    @pytest.mark.parametrize("is_connected", [True, False], ids=["in a statement", "in a connect"])
    def test_that_is_silent_is_given_up_at_the_deadline(
        self, open_books: OpenBooks, own_postgresql: OwnPostgresql, is_connected: bool
    ):
        found = open_books()
        if not is_connected:
            found.engine.dispose()
        # Whatever else breaks, this test ends.
        rescue = threading.Timer(FAR_LATER, own_postgresql.thaw)
        rescue.start()
        own_postgresql.freeze()
        try:
            found.refuse("deadline-exceeded", found.sell_soon)
        finally:
            rescue.cancel()
        own_postgresql.thaw()
        found.sell()

    def test_that_has_no_connection_left_is_unavailable(self, url: str, open_books: OpenBooks):
        # Whoever may do everything may also connect at any time.
        role = (
            "CREATE ROLE clerk LOGIN",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk",
        )
        with changed(url, role, "DROP OWNED BY clerk; DROP ROLE clerk"):
            found = open_books(url.replace("//postgres@", "//clerk@"))
            limit = f"ALTER DATABASE {sa.make_url(url).database} CONNECTION LIMIT"
            with changed(url, f"{limit} 0", f"{limit} -1"):
                found.engine.dispose()
                found.refuse("unavailable")

            found.sell()
            found.engine.dispose()

    def test_that_takes_no_writes_is_read_only_and_can_be_read(self, url: str, open_books: OpenBooks):
        alter = f"ALTER DATABASE {sa.make_url(url).database}"
        found = open_books()
        with changed(url, f"{alter} SET default_transaction_read_only = on", f"{alter} RESET ALL"):
            found.engine.dispose()
            found.refuse("read-only")
            found.shop.must(200, "GET", "accounts")

        found.engine.dispose()
        found.sell()

    @pytest.mark.parametrize("state", ["53100", "53200", "58030"], ids=["disk full", "out of memory", "input/output"])
    def test_that_is_at_its_end_is_unavailable(self, url: str, open_books: OpenBooks, state: str):
        found = open_books()
        with changed(url, on_insert(f"RAISE 'secret' USING ERRCODE = '{state}'"), NO_MORE):
            found.refuse("unavailable")
        found.sell()


class TestConnection:
    def test_that_is_cut_in_a_statement_is_unavailable_and_nothing_was_done(
        self, open_books: OpenBooks, proxy: CuttingProxy
    ):
        found = open_books(proxy.url)
        proxy.cut_at = b"idempotency"
        refused = found.refuse(
            "unavailable", lambda: found.shop.call("POST", "transactions", sale(), Idempotency_Key="k")
        )

        assert refused.status_int == 503
        # Each attempt.
        assert proxy.cuts == 3
        proxy.cut_at = None
        again = found.shop.call("POST", "transactions", sale(), Idempotency_Key="k")
        assert (again.status_int, "Idempotency-Replayed" in again.headers) == (201, False)

    def test_that_is_cut_in_commit_leaves_the_outcome_unknown_until_the_key_is_sent_again(
        self, open_books: OpenBooks, proxy: CuttingProxy
    ):
        found = open_books(proxy.url)
        proxy.cut_at = b"COMMIT\0"
        found.refuse("outcome-unknown", lambda: found.shop.call("POST", "transactions", sale(), Idempotency_Key="k"))

        assert proxy.cuts == 1
        proxy.cut_at = None
        # It waits for the first, should that still be at it.
        found.sell(Idempotency_Key="k")
        assert len(found.shop.must(200, "GET", "transactions")["items"]) == 2

    def test_that_the_server_ended_is_replaced_by_another(self, url: str, open_books: OpenBooks):
        found = open_books()
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'myapp'")

        found.sell()

    def test_that_is_wanted_by_too_many_is_overload(self, open_books: OpenBooks):
        found = open_books(**{"db.pool_size": "1", "db.pool_timeout_seconds": "0.2"})
        with found.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            answer = found.shop.call("POST", "transactions", sale())

        assert (answer.status_int, answer.json["code"], answer.headers["Retry-After"]) == (503, "overloaded", "1")
        found.require_nothing_held()
        found.sell()


class TestTime:
    def test_for_a_lock_is_over(self, url: str, open_books: OpenBooks):
        found = open_books(**{"db.lock_timeout_seconds": "0.2"})
        with locked(url, "balances"):
            found.refuse("unavailable")
        found.sell()

    def test_for_the_request_is_over_while_it_waits_for_a_lock(self, url: str, open_books: OpenBooks):
        found = open_books(**{"db.lock_timeout_seconds": "30"})
        with locked(url, "balances"):
            found.refuse("deadline-exceeded", found.sell_soon)
        found.sell()

    def test_for_a_statement_is_over(self, url: str, open_books: OpenBooks):
        found = open_books()
        with changed(url, on_insert("PERFORM pg_sleep(60)"), NO_MORE):
            found.refuse("deadline-exceeded", found.sell_soon)
        found.sell()


class TestConstraint:
    ROW = sale(description="forbidden")

    @pytest.fixture
    def found(self, url: str, open_books: OpenBooks) -> Iterator[Books]:
        alter = "ALTER TABLE transactions"
        check = f"{alter} ADD CONSTRAINT ck_secret CHECK (description <> 'forbidden')"
        with changed(url, check, f"{alter} DROP CONSTRAINT ck_secret"):
            yield open_books()

    def test_that_nobody_knows_is_a_fault_that_tells_strangers_nothing(
        self, found: Books, caplog: pytest.LogCaptureFixture
    ):
        with caplog.at_level(logging.ERROR):
            found.refuse("internal", lambda: found.shop.call("POST", "transactions", self.ROW))

        assert "ck_secret" in caplog.text
        found.sell()

    def test_that_has_a_name_in_the_domain_is_its_refusal(self, found: Books):
        constraints.register(found.engine, "ck_secret", lambda: ledger_errors.PeriodLocked("That day is over."))

        refused = found.shop.refused("period-locked", "POST", "transactions", self.ROW)

        assert refused["detail"] == "That day is over."
        found.require_nothing_held()
        found.sell()
