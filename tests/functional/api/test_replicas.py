"""The ledger's service on a primary with a replica, as its clients meet it."""

from __future__ import annotations

from collections.abc import Iterator

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
def shop(postgresql_pair: PostgresqlPair, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Return a shop whose service reads from the replica, which has seen it open."""
    made = databases.PostgresqlDatabases(postgresql_pair.primary_url, "ledger")
    with made.private() as url:
        postgresql_pair.wait_until_replayed()
        replica = sa.make_url(postgresql_pair.standby_url).set(database=sa.make_url(url).database)
        settings = {
            "sqlalchemy.url": url,
            "sqlalchemy.replica_urls": replica.render_as_string(hide_password=False),
            "db.token_secret": "a secret of the tests, long enough",
            "myapp.auth": "open",
        }
        app = myapp.main({}, **settings)
        shop = Shop(webtest.TestApp(app, extra_environ=LOOPBACK)).open()
        postgresql_pair.wait_until_replayed()
        yield shop
        postgresql_pair.restore()
        for engine in [app.registry["db.engine"], *(each.engine for each in app.registry["db.replicas"].members)]:
            engine.dispose()
    made.drop(made.template)


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

    def test_a_process_can_start_on_the_replica_alone(self, shop: Shop, postgresql_pair: PostgresqlPair):
        postgresql_pair.stop_primary()
        replica = shop.app.app.registry["db.replicas"].members[0].engine.url.render_as_string(hide_password=False)

        app = myapp.main({}, **{"sqlalchemy.url": replica, "db.writes": "off", "myapp.auth": "open"})

        alone = webtest.TestApp(app, extra_environ=LOOPBACK)
        assert alone.get(f"{shop.path}/accounts/{CASH}").json["path"] == CASH
        assert alone.post_json("/v1/ledgers", {"name": "later"}, status=503).json["code"] == "read-only"
        app.registry["db.engine"].dispose()
