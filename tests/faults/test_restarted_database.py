"""SESSION promise 12 under load: the database ends and comes back, and nobody gets a 500 or loses anything.

Several clients over the whole application; each sends what was not done again, with its key, once the database is back.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
import webtest

import myapp
from myapp.db.limits import admission
from tests import traffic
from tests.databases import PostgresqlDatabases
from tests.faults.books import FAR_LATER, LOOPBACK
from tests.faults.serving import check_books
from tests.own_postgresql import OwnPostgresql

CLIENTS = 8
CALLS = 400
# After so many answers the database is told to end, and after so many more it crashes.
ANSWERS_BETWEEN = 100
SEED = 12
WAIT_SECONDS = 30

# What may be said while the database is away, beside what the ledger does and refuses in any case.
AWAY = {"unavailable", "outcome-unknown", "deadline-exceeded"}
SETTLED = {"recorded", "insufficient-funds", "limit-exceeded"}


class Service:
    """The application in this process, as `pserve` would serve it."""

    def __init__(self, url: str) -> None:
        self.app = myapp.main({}, **{"sqlalchemy.url": url, "myapp.auth": "open", "db.pool_size": "4"})
        self.engine = self.app.registry["db.engine"]

    def get(self, path: str) -> tuple[int, str]:
        answer = self.client().get(path)
        return answer.status_int, answer.text

    def post(self, path: str, body: object, headers: Mapping[str, str]) -> webtest.TestResponse:
        return self.client().post_json(path, body, headers=dict(headers), status="*")

    def client(self) -> webtest.TestApp:
        return webtest.TestApp(self.app, extra_environ=LOOPBACK)


class Load:
    """Clients that send their calls until each is settled."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.database_is_up = threading.Event()
        self.database_is_up.set()
        self.said: Counter[str] = Counter()
        self.accepted: list[traffic.Call] = []
        self.slowest_seconds = 0.0
        self._heard = threading.Condition()

    def settle(self, call: traffic.Call) -> None:
        while (code := self.send(call)) in AWAY:
            assert self.database_is_up.wait(WAIT_SECONDS)
        assert code in SETTLED
        if code == "recorded":
            self.accepted.append(call)

    def send(self, call: traffic.Call) -> str:
        began = time.monotonic()
        answer = self.service.post(call.path, call.body, {"Idempotency-Key": call.key})
        code = "recorded" if answer.status_int == 201 else answer.json["code"]
        with self._heard:
            self.said[code] += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            self._heard.notify_all()
        return code

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        with self._heard:
            assert self._heard.wait_for(is_so, WAIT_SECONDS), self.said


@pytest.fixture
def service(own_postgresql: OwnPostgresql) -> Iterator[Service]:
    with PostgresqlDatabases(own_postgresql.url, "restarted").private() as url:
        service = Service(url)
        yield service
        service.engine.dispose()
        own_postgresql.restore()


@pytest.mark.slow
@pytest.mark.commits
def test_nobody_gets_a_500_and_nothing_is_lost_or_doubled(service: Service, own_postgresql: OwnPostgresql) -> None:
    traffic.open_books(lambda path, body, headers: service.post(path, body, headers).status_int)
    load = Load(service)

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(load.settle, call) for call in traffic.calls(SEED, CALLS)]
        try:
            for immediate in (False, True):
                answers = load.said.total() + ANSWERS_BETWEEN
                load.wait_until(lambda answers=answers: load.said.total() >= answers)
                restart(own_postgresql, load, immediate=immediate)
        finally:
            load.database_is_up.set()
        for client in clients:
            client.result(WAIT_SECONDS)

    assert load.slowest_seconds < FAR_LATER
    assert (service.engine.pool.checkedout(), admission.of(service.engine).connections.taken) == (0, 0)
    check_books(service, load.accepted)


def restart(server: OwnPostgresql, load: Load, *, immediate: bool) -> None:
    """Take the database away until somebody has met it, and bring it back."""
    load.database_is_up.clear()
    met = load.said["unavailable"]
    server.stop(immediate=immediate)
    load.wait_until(lambda: load.said["unavailable"] > met)
    server.start()
    load.database_is_up.set()
