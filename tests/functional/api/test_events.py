"""Following a ledger: everything that happens is told, in order, once; who waits holds nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import webtest
from pyramid.router import Router

from myapp.api.events import schemas
from myapp.api.events.following import LEAVING
from myapp.db.limits import admission
from myapp.ledger.model import EventType
from tests.functional.api.shop import CASH, Shop, sale

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}
# Of the shop's own making: itself, and two accounts.
OPENING = 3


def follow(shop: Shop, query: str = "") -> list[dict[str, Any]]:
    return shop.must(200, "GET", f"events{query}")["items"]


class TestEvents:
    def test_tell_what_happened_with_what_it_left(self, shop: Shop):
        shop.must(201, "PUT", "currencies/HOOL", {"exponent": 4})
        shop.must(200, "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"max": "99.00"}}, "metadata": {"a": "b"}})
        recorded = shop.must(201, "POST", "transactions", sale(reference="r"))

        told = follow(shop)

        assert [event["seq"] for event in told] == list(range(1, OPENING + 4))
        assert [event["type"] for event in told][OPENING:] == [
            "currency.declared", "account.changed", "transaction.posted",
        ]  # fmt: skip
        assert told[0]["data"] == {"name": shop.name, "metadata": {}, "version": 1, "locked_before": None}
        assert told[1]["data"]["limits"] == {"USD": {"min": "0.00"}}
        assert told[OPENING]["data"] == {"code": "HOOL", "exponent": 4}
        assert told[OPENING + 1]["data"] == {
            "path": CASH,
            "type": "asset",
            "closed": False,
            "currencies": None,
            "limits": {"USD": {"max": "99.00"}},
            "metadata": {"a": "b"},
            "version": 2,
        }
        assert told[-1]["data"] == shop.must(200, "GET", f"transactions/{recorded['id']}")
        assert (told[-1]["id"], told[-1]["recorded_at"]) == (recorded["id"], recorded["recorded_at"])

    def test_keep_their_numbers_and_go_on_after_one(self, shop: Shop):
        first = follow(shop)
        shop.must(201, "POST", "transactions/batch", {"transactions": [sale(reference=str(n)) for n in range(5)]})

        page = shop.call("GET", "events?after=3&limit=2")

        assert [event["seq"] for event in page.json["items"]] == [4, 5]
        assert page.json["next"] == 5
        assert page.headers["Link"] == f'<{shop.path}/events?limit=2&after=5>; rel="next"'
        assert [event["data"]["reference"] for event in follow(shop, "?after=3")] == list("01234")
        assert follow(shop)[:OPENING] == first

    def test_say_where_to_go_on_also_where_there_is_nothing(self, shop: Shop):
        assert shop.must(200, "GET", "events?after=3") == {"items": [], "next": 3}
        assert shop.must(200, "GET", "events?after=900") == {"items": [], "next": 900}

    def test_are_those_of_the_types_asked_for(self, shop: Shop):
        shop.must(201, "POST", "transactions", sale())

        page = shop.must(200, "GET", "events?types=transaction.posted,ledger.created")

        assert [(event["seq"], event["type"]) for event in page["items"]] == [
            (1, "ledger.created"),
            (4, "transaction.posted"),
        ]
        assert shop.must(200, "GET", "events?types=ledger.changed") == {"items": [], "next": 4}

    def test_of_a_refused_request_there_are_none(self, shop: Shop):
        shop.refused("amount-precision", "POST", "transactions", sale("0.001"))
        shop.must(200, "POST", "transactions?dry_run=true", sale())

        assert len(follow(shop)) == OPENING

    @pytest.mark.parametrize(
        "query", ["after=-1", "after=x", "limit=0", "types=", "types=a", "types=ledger.created,", "wait=31", "wait=0.5"]
    )
    def test_are_refused_to_who_asks_wrongly(self, shop: Shop, query: str):
        shop.refused("bad-parameter", "GET", f"events?{query}")

    def test_are_answered_to_head_without_a_body(self, shop: Shop):
        assert shop.call("HEAD", "events").body == b""

    def test_have_an_answer_for_every_type(self):
        assert set(schemas.OF_TYPE) == set(EventType)


class TestWithoutWrites:
    @pytest.mark.commits
    def test_what_has_a_number_is_told(
        self, lasting_shop: Shop, make_wsgi_app: Callable[..., Router], committing_app: webtest.TestApp
    ):
        told = follow(lasting_shop)
        lasting_shop.must(201, "POST", "transactions", sale())
        reading = make_wsgi_app(**{"db.writes": "off"})
        lasting_shop.app = webtest.TestApp(reading, extra_environ=LOOPBACK)

        assert follow(lasting_shop) == told
        assert lasting_shop.must(200, "GET", "events?after=3&wait=1") == {"items": [], "next": 3}

        lasting_shop.app = committing_app
        assert len(follow(lasting_shop)) == OPENING + 1


@pytest.mark.commits
class TestWaiting:
    @pytest.fixture
    def served(self, make_wsgi_app: Callable[..., Router], lasting_shop: Shop) -> Shop:
        """Return a shop, all told, whose service lets one wait."""
        follow(lasting_shop)
        lasting_shop.app = webtest.TestApp(make_wsgi_app(**{"myapp.followers_max": "1"}), extra_environ=LOOPBACK)
        return lasting_shop

    @pytest.fixture
    def pool(self):
        with ThreadPoolExecutor(2) as pool:
            yield pool

    def test_ends_with_the_next_event(self, served: Shop, pool: ThreadPoolExecutor):
        waiting = pool.submit(served.must, 200, "GET", "events?after=3&wait=20")
        wait_until_seated(served)
        recorded = served.must(201, "POST", "transactions", sale())

        assert [event["id"] for event in waiting.result(10)["items"]] == [recorded["id"]]

    def test_holds_no_connection_and_lets_no_second_one_wait(self, served: Shop, pool: ThreadPoolExecutor):
        engine = served.app.app.registry["db.engine"]
        waiting = pool.submit(served.must, 200, "GET", "events?after=3&wait=20")
        wait_until_seated(served)

        lines = admission.of(engine)
        # It looks now and then, and in between holds nothing.
        assert any(self._is_idle(engine, lines) for _ in range(100))
        began = time.monotonic()
        assert served.must(200, "GET", "events?after=3&wait=20") == {"items": [], "next": 3}
        assert time.monotonic() - began < 10
        assert not waiting.done()
        served.must(201, "POST", "transactions", sale())
        waiting.result(10)
        assert self._is_idle(engine, lines)

    @staticmethod
    def _is_idle(engine: Any, lines: Any) -> bool:
        time.sleep(0.01)
        return engine.pool.checkedout() == 0 and lines.connections.taken == 0

    def test_ends_without_an_event_when_the_time_is_over(self, served: Shop):
        assert served.must(200, "GET", "events?after=3&wait=1") == {"items": [], "next": 3}

    def test_ends_before_the_time_of_the_request_is_over(self, served: Shop):
        assert served.must(200, "GET", "events?after=3&wait=30", Request_Timeout="1.5") == {"items": [], "next": 3}

    def test_ends_when_the_server_does(self, served: Shop):
        ending = threading.Event()
        threading.Timer(0.5, ending.set).start()
        served.app.extra_environ = {**LOOPBACK, LEAVING: ending}

        assert served.must(200, "GET", "events?after=3&wait=30") == {"items": [], "next": 3}
        assert ending.is_set()


def wait_until_seated(shop: Shop) -> None:
    """Return once somebody waits."""
    followers = shop.app.app.registry["myapp.followers"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with followers.seat() as is_free:
            if not is_free:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")
