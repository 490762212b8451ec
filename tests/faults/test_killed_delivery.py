"""`myapp deliver` killed at random, and the database with it: every event arrives, in order, repeats apart.

Real processes, a real PostgreSQL that is restarted (on SQLite the processes alone), and a receiver that refuses some.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import webtest

import myapp
from tests.databases import PostgresqlDatabases
from tests.functional.api.shop import Shop, sale
from tests.own_postgresql import OwnPostgresql
from tests.receiver import Receiver, receiver

pytestmark = pytest.mark.long

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}
DISPATCHERS = 2
PATHS = ("/a", "/b")
SALES = 40
KILLS = 3
RESTARTS = 1
REFUSED_SHARE = 0.1
SEED = 22
WAIT_SECONDS = 40

INI = """
[app:main]
use = egg:myapp
sqlalchemy.url = {url}
myapp.webhook_private_targets = on
myapp.webhook_timeout_seconds = 0.5
myapp.webhook_backoff_seconds = 0.05
"""


class Dispatchers:
    """Processes that deliver; one that was killed is started again."""

    def __init__(self, ini: Path) -> None:
        self._ini = ini
        self._running = [self._start() for _ in range(DISPATCHERS)]

    def kill_one(self, chance: random.Random) -> None:
        place = chance.randrange(DISPATCHERS)
        self._running[place].kill()
        self._running[place].wait(WAIT_SECONDS)
        self._running[place] = self._start()

    def end(self) -> list[int]:
        """Ask all to end, and return how each did."""
        for each in self._running:
            each.terminate()
        return [each.wait(WAIT_SECONDS) for each in self._running]

    def kill(self) -> None:
        for each in self._running:
            each.kill()
            each.wait(WAIT_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "myapp.scripts.main", "deliver", "--workers", "2", "--ini", str(self._ini)]
        with self._ini.with_suffix(".log").open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        with process.stdout:
            # It says when it begins.
            process.stdout.readline()
        return process


@contextmanager
def dispatchers(ini: Path) -> Iterator[Dispatchers]:
    made = Dispatchers(ini)
    try:
        yield made
    finally:
        made.kill()


def refusing_now_and_then(chance: random.Random) -> Callable[[dict[str, Any]], int]:
    return lambda _body: 503 if chance.random() < REFUSED_SHARE else 204


def is_soon(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def sell(shop: Shop, recorded: list[str]) -> None:
    """Record sales, each until it is acknowledged."""
    for number in range(SALES):
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = shop.call("POST", "transactions", sale(), Idempotency_Key=f"sale-{number}")
            if answer.status_int == 201:
                recorded.append(answer.json["id"])
                break
            assert answer.status_int == 503, answer.text
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.02)


def disturb(running: Dispatchers, server: OwnPostgresql | None, chance: random.Random) -> None:
    for number in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.5))
        running.kill_one(chance)
        if server is not None and number < RESTARTS:
            time.sleep(chance.uniform(0, 0.2))
            server.stop(immediate=True)
            server.start()


def check(received: Receiver, recorded: list[str], events: list[dict[str, Any]]) -> None:
    """All events came to each webhook, for the first time in order, and under the id they always have."""
    expected = [event["seq"] for event in events]
    id_of = {event["seq"]: event["id"] for event in events}
    assert set(recorded) <= set(id_of.values())
    for path in PATHS:
        assert received.taken(path) == expected
        assert list(dict.fromkeys(received.seqs(path))) == expected
    assert all(each.id == id_of[each.body["seq"]] for each in received.received)


def deliver_through_all(url: str, server: OwnPostgresql | None, directory: Path) -> None:
    chance = random.Random(SEED)
    app = myapp.main({}, **{"sqlalchemy.url": url, "myapp.auth": "open", "myapp.webhook_private_targets": "on"})
    shop = Shop(webtest.TestApp(app, extra_environ=LOOPBACK)).open()
    ini = directory / "deliver.ini"
    ini.write_text(INI.format(url=url.replace("%", "%%")))
    recorded: list[str] = []
    with receiver() as received:
        received.answer = refusing_now_and_then(random.Random(SEED))
        for path in PATHS:
            wanted = {"url": received.url.rstrip("/") + path, "after": 0}
            received.secrets[path] = shop.must(201, "POST", "webhooks", wanted)["secret"]
        with dispatchers(ini) as running:
            seller = threading.Thread(target=sell, args=[shop, recorded])
            seller.start()
            disturb(running, server, chance)
            seller.join(WAIT_SECONDS)
            assert len(recorded) == SALES
            events = shop.must(200, "GET", "events?limit=1000")["items"]
            arrived = is_soon(lambda: all(len(received.taken(path)) == len(events) for path in PATHS))
            assert arrived, ini.with_suffix(".log").read_text()
            assert running.end() == [0] * DISPATCHERS
    app.registry["db.engine"].dispose()
    check(received, recorded, events)


@pytest.mark.slow
@pytest.mark.commits
class TestKilledDelivery:
    def test_of_postgresql_that_is_restarted_loses_nothing_and_keeps_the_order(
        self, own_postgresql: OwnPostgresql, tmp_path: Path
    ):
        databases = PostgresqlDatabases(own_postgresql.url, "deliver")

        deliver_through_all(databases.copy(databases.template), own_postgresql, tmp_path)

    def test_of_sqlite_loses_nothing_and_keeps_the_order(
        self, fresh_database_url: Callable[[str], str], tmp_path: Path
    ):
        deliver_through_all(fresh_database_url("sqlite"), None, tmp_path)
