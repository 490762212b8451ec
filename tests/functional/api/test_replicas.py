"""The ledger's service on a primary with a replica, as its clients meet it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
import webtest

import myapp
from tests import databases
from tests.functional.api.shop import CASH, Shop, sale
from tests.functional.conftest import LOOPBACK
from tests.postgresql_pair import PostgresqlPair

TOKEN = "Read-Position"


@pytest.fixture
def settings(postgresql_pair: PostgresqlPair) -> Iterator[dict[str, str]]:
    """Return the settings of a service that reads from the replica."""
    made = databases.PostgresqlDatabases(postgresql_pair.primary_url, "ledger")
    with made.private() as url:
        postgresql_pair.wait_until_replayed()
        replica = sa.make_url(postgresql_pair.standby_url).set(database=sa.make_url(url).database)
        yield {
            "sqlalchemy.url": url,
            "sqlalchemy.replica_urls": replica.render_as_string(hide_password=False),
            "db.token_secret": "a secret of the tests, long enough",
            "myapp.auth": "open",
        }
        postgresql_pair.restore()
    made.drop(made.template)


@contextmanager
def serving(settings: dict[str, str]) -> Iterator[webtest.TestApp]:
    """Lend a client of a process of its own."""
    app = myapp.main({}, **settings)
    yield webtest.TestApp(app, extra_environ=LOOPBACK)
    replicas = app.registry["db.replicas"].members if "db.replicas" in app.registry else ()
    for engine in [app.registry["db.engine"], *(each.engine for each in replicas)]:
        engine.dispose()


@pytest.fixture
def shop(settings: dict[str, str], postgresql_pair: PostgresqlPair) -> Iterator[Shop]:
    """Return a shop that the replica has seen open."""
    with serving(settings) as client:
        shop = Shop(client).open()
        postgresql_pair.wait_until_replayed()
        yield shop


def balance(shop: Shop, **headers: str) -> str:
    account = shop.must(200, "GET", f"accounts/{CASH}", **headers)
    return account["balances"].get("USD", {}).get("balance", "0.00")


@pytest.mark.commits
class TestReadYourWrites:
    def test_a_balance_is_that_after_the_sale_for_who_sends_its_token(
        self, shop: Shop, postgresql_pair: PostgresqlPair
    ):
        with postgresql_pair.replay_paused():
            token = shop.call("POST", "transactions", sale("12.50")).headers[TOKEN]

            assert balance(shop) == "0.00"
            assert balance(shop, Read_Position=token) == "12.50"

        assert balance(shop) == "12.50"


@pytest.mark.commits
class TestPrimaryDown:
    def test_the_book_can_be_read_and_not_written(self, shop: Shop, postgresql_pair: PostgresqlPair):
        shop.must(201, "POST", "transactions", sale("12.50"))
        postgresql_pair.wait_until_replayed()
        postgresql_pair.stop_primary()

        assert balance(shop) == "12.50"
        assert shop.must(200, "GET", "verify")["holds"] is True
        assert shop.must(200, "GET", "/readyz") == {"status": "ok"}
        shop.refused("read-only", "POST", "transactions", sale("1.00"), Idempotency_Key="later")

        postgresql_pair.start_primary()
        shop.must(201, "POST", "transactions", sale("1.00"), Idempotency_Key="later")

    def test_a_process_can_start_and_serve_reads(
        self, shop: Shop, settings: dict[str, str], postgresql_pair: PostgresqlPair, caplog: pytest.LogCaptureFixture
    ):
        postgresql_pair.stop_primary()

        with serving(settings) as client:
            assert "Only reads are served until there is a primary." in caplog.text
            assert client.get(f"{shop.path}/accounts/{CASH}").json["path"] == CASH
            assert client.post_json("/v1/ledgers", {"name": "later"}, status=503).json["code"] == "read-only"
            postgresql_pair.start_primary()
            client.post_json("/v1/ledgers", {"name": "later"}, status=201)

    def test_a_process_can_start_that_reads_from_the_primary_alone(
        self, settings: dict[str, str], postgresql_pair: PostgresqlPair
    ):
        postgresql_pair.stop_primary()

        with serving({**settings, "db.isolation": "SERIALIZABLE"}) as client:
            assert client.get("/v1/ledgers", status=503).json["code"] == "unavailable"
            postgresql_pair.start_primary()
            client.get("/v1/ledgers", status=200)

    def test_a_process_does_not_start_on_another_schema(
        self, settings: dict[str, str], postgresql_pair: PostgresqlPair
    ):
        bind = sa.create_engine(settings["sqlalchemy.url"], poolclass=sa.NullPool)
        with bind.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'f000'")
        postgresql_pair.wait_until_replayed()
        postgresql_pair.stop_primary()

        with pytest.raises(SystemExit, match="it is at: f000"):
            myapp.main({}, **settings)

    def test_a_process_does_not_start_on_nothing(self, settings: dict[str, str], postgresql_pair: PostgresqlPair):
        postgresql_pair.stop_primary()
        nobody = "postgresql://nobody@127.0.0.1:1/nothing"

        with pytest.raises(SystemExit, match=str(postgresql_pair.primary.port)):
            myapp.main({}, **{**settings, "sqlalchemy.replica_urls": nobody})

    def test_a_process_can_start_on_the_replica_alone(
        self, shop: Shop, settings: dict[str, str], postgresql_pair: PostgresqlPair
    ):
        postgresql_pair.stop_primary()
        alone = {"sqlalchemy.url": settings["sqlalchemy.replica_urls"], "db.writes": "off", "myapp.auth": "open"}

        with serving(alone) as client:
            assert client.get(f"{shop.path}/accounts/{CASH}").json["path"] == CASH
            assert client.post_json("/v1/ledgers", {"name": "later"}, status=503).json["code"] == "read-only"
