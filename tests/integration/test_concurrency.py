"""Sixteen threads at once over the whole application: nothing is lost, doubled, overdrawn or half seen.

Real commits in a private database. `MYAPP_TEST_REQUESTS=20000` makes the run longer; `-s` shows its figures.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.router import Router
from pyramid_retry import IBeforeRetry
from sqlalchemy import exc as sa_exc

import myapp
from myapp.db import errors, scope
from myapp.ledger import queries
from tests import traffic

pytestmark = pytest.mark.long

REQUESTS_VARIABLE = "MYAPP_TEST_REQUESTS"
REQUESTS = 300
THREADS = 16
REPEATS_SHARE = 4
PAUSE_SECONDS = 0.02
SEED = 2026

PLACES = {
    "sqlite": ("sqlite", {}),
    "postgresql-statement": ("postgresql", {"myapp.recording": "statement"}),
    "postgresql-steps": ("postgresql", {"myapp.recording": "steps"}),
    "postgresql-serializable": ("postgresql", {"db.isolation": "SERIALIZABLE", "retry.attempts": "10"}),
}
REFUSALS = {"insufficient-funds", "limit-exceeded"}


@dataclass(frozen=True)
class Answer:
    call: traffic.Call
    status: int
    body: str
    replayed: bool

    @property
    def outcome(self) -> str:
        return "replayed" if self.replayed else str(json.loads(self.body).get("code", self.status))


@dataclass
class Service:
    """The application, and how often it repeated a request by itself."""

    app: Router
    is_serializable: bool
    repeated: int = 0

    def client(self) -> webtest.TestApp:
        return webtest.TestApp(self.app, extra_environ={"REMOTE_ADDR": "127.0.0.1"})

    def count_repeat(self, _event: object) -> None:
        self.repeated += 1


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def service(place: str, fresh_database_url: Callable[[str], str]) -> Iterator[Service]:
    dialect, settings = PLACES[place]
    common = {"sqlalchemy.url": fresh_database_url(dialect), "myapp.auth": "open", "db.pool_size": str(POOL_SIZE)}
    app = myapp.main({}, **common, **settings)
    service = Service(app, is_serializable="db.isolation" in settings)
    app.registry.registerHandler(service.count_repeat, (IBeforeRetry,))
    traffic.open_books(lambda path, body, headers: post(service.client(), path, body, headers).status_int)
    yield service
    app.registry["db.engine"].dispose()


@pytest.mark.slow
@pytest.mark.commits
def test_keeps_every_promise_under_sixteen_threads(service: Service, place: str) -> None:
    calls = traffic.calls(SEED, int(os.environ.get(REQUESTS_VARIABLE, REQUESTS)))
    started = time.monotonic()

    answers, snapshots = under_load(service, calls)

    seconds = time.monotonic() - started
    outcomes = Counter(answer.outcome for answer in answers)
    figures = f"{len(answers)} requests in {seconds:.1f} s, {service.repeated} repeated inside, {snapshots} snapshots"
    sys.stdout.write(f"\n{place}: {THREADS} threads, {figures}, {dict(outcomes)}\n")
    check_answers(outcomes, is_serializable=service.is_serializable)
    answers += [send(service.client(), call) for call in calls]
    accepted = check_keys(answers)
    check_books(service, accepted)
    check_deadlocks(service)


def under_load(service: Service, calls: Sequence[traffic.Call]) -> tuple[list[Answer], int]:
    """Send every call, many of them several times at once, and read snapshots meanwhile."""
    waiting: queue.SimpleQueue[traffic.Call] = queue.SimpleQueue()
    for number, call in enumerate(calls):
        for _ in range(3 if number % REPEATS_SHARE == 0 else 1):
            waiting.put(call)
    done = threading.Event()
    with ThreadPoolExecutor(THREADS + len(LOOKS)) as threads:
        watchers = [threads.submit(watch, service, look, done) for look in LOOKS]
        try:
            clients = [threads.submit(work, service, waiting) for _ in range(THREADS)]
            answers = [answer for client in clients for answer in client.result()]
        finally:
            done.set()
        return answers, sum(watcher.result() for watcher in watchers)


def work(service: Service, waiting: queue.SimpleQueue[traffic.Call]) -> list[Answer]:
    client = service.client()
    answers = []
    while True:
        try:
            call = waiting.get_nowait()
        except queue.Empty:
            return answers
        answers.append(send(client, call))


def send(client: webtest.TestApp, call: traffic.Call) -> Answer:
    response = post(client, call.path, call.body, {"Idempotency-Key": call.key})
    return Answer(call, response.status_int, response.text, response.headers.get("Idempotency-Replayed") == "true")


def post(client: webtest.TestApp, path: str, body: object, headers: Mapping[str, str]) -> webtest.TestResponse:
    return client.post_json(path, body, headers=dict(headers), status="*")


def watch(service: Service, look: Callable[[Service], None], done: threading.Event) -> int:
    """Look again and again until the load is over; return how often."""
    snapshots = 0
    while not done.is_set() or not snapshots:
        try:
            look(service)
        except (errors.Conflict, sa_exc.OperationalError) as exc:
            # At SERIALIZABLE a reader may be asked to come again, at no other level.
            if not (service.is_serializable and isinstance(errors.translate(exc), errors.Conflict)):
                raise
        else:
            snapshots += 1
        done.wait(PAUSE_SECONDS)
    return snapshots


def look_through_session(service: Service) -> None:
    """Check totals and limits in one read-only unit of work."""
    with scope.session_scope(service.app.registry["db.sessions"], readonly=True) as session:
        ledger = queries.get_ledger(session, "traffic")
        accounts = queries.list_accounts(session, ledger, after=None, limit=100)
    net = Counter[str]()
    for account in accounts:
        for currency, counters in account.balances.items():
            net[currency] += counters.debits_posted - counters.credits_posted
            check_limits(account.path, counters.balance(account.type.normal_side))
    assert not any(net.values()), net


def look_through_api(service: Service) -> None:
    """Check totals and limits in one answer of the API."""
    net = Counter[str]()
    for account in get(service, "/accounts")["items"]:
        for currency, balance in account["balances"].items():
            net[currency] += traffic.cents(balance["debits"]) - traffic.cents(balance["credits"])
            check_limits(account["path"], traffic.cents(balance["balance"]))
    assert not any(net.values()), net


def look_at_invariants(service: Service) -> None:
    """Check every invariant as it stands in the middle of the load."""
    verification = get(service, "/verify")
    assert [check for check in verification["checks"] if not check["holds"]] == []
    assert verification["holds"] is True


LOOKS = (look_through_session, look_through_api, look_at_invariants)
# As many connections as threads, as in production.ini: the pool serves whoever comes, not whoever waits longest.
POOL_SIZE = THREADS + len(LOOKS)


def get(service: Service, path: str) -> dict[str, Any]:
    response = service.client().get(f"{traffic.LEDGER}{path}", status="*")
    if response.json.get("code") == "conflict":
        raise errors.Conflict(response.text)
    assert response.status_int == 200, response.text
    return response.json


def check_limits(path: str, balance: int) -> None:
    _, bounds = traffic.ACCOUNTS[path]
    assert bounds.get("min", balance) <= balance <= bounds.get("max", balance), (path, balance)


def check_answers(outcomes: Counter[str], *, is_serializable: bool) -> None:
    """No deadlock, time-out or fault reached a client; a conflict only where the isolation level makes them."""
    expected = {"201", "replayed", "idempotency-in-progress", *REFUSALS}
    assert set(outcomes) <= expected | ({"conflict"} if is_serializable else set())
    assert set(outcomes) >= REFUSALS
    assert outcomes["201"] > 0
    assert outcomes["replayed"] > 0


def check_keys(answers: Sequence[Answer]) -> list[traffic.Call]:
    """Each key took effect once at most, and everyone who was told so was told the same; return those that did."""
    told: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.status == 201:
            told[answer.call.key].append(answer)
    for same in told.values():
        assert len({answer.body for answer in same}) == 1
        assert [answer.replayed for answer in same].count(False) == 1
    return [same[0].call for same in told.values()]


def check_books(service: Service, accepted: Sequence[traffic.Call]) -> None:
    """The books hold what was acknowledged, whole and no more."""
    with scope.session_scope(service.app.registry["db.sessions"], readonly=True) as session:
        ledger = queries.get_ledger(session, "traffic")
        accounts = queries.list_accounts(session, ledger, after=None, limit=100)
        recorded = queries.list_transactions(
            session, ledger, criteria=queries.TransactionFilter(), after=None, limit=1_000_000, now=datetime.now(UTC)
        )
    found = Counter[tuple[str, str, str]]()
    for account in accounts:
        for currency, counters in account.balances.items():
            found[account.path, currency, "debit"] = counters.debits_posted
            found[account.path, currency, "credit"] = counters.credits_posted
    assert found == traffic.total(accepted)
    assert len(recorded) == sum(call.transactions for call in accepted)
    for look in LOOKS:
        look(service)


def check_deadlocks(service: Service) -> None:
    """PostgreSQL met none, not even one that was repeated inside: everyone takes locks in one order."""
    engine = service.app.registry["db.engine"]
    if engine.dialect.name == "postgresql":
        # A connection tells its figures at its end.
        engine.dispose()
        with engine.connect() as connection:
            query = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            assert connection.scalar(query) == 0
