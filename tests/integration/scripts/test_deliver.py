"""Delivering to webhooks: a real receiver, the application, and the dispatcher between them, on each database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import webtest

import myapp
from myapp import settings
from myapp.db import scope
from myapp.ledger import queries
from myapp.ledger.webhooks import delivering
from myapp.ledger.webhooks.tables import webhooks
from myapp.scripts import main
from myapp.scripts.delivering import dispatching
from myapp.scripts.delivering.dispatching import Dispatcher
from myapp.scripts.delivering.sending import Sender, is_public
from tests.functional.api.shop import Shop, sale
from tests.receiver import Receiver, receiver

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}
APPLICATION = settings.Application(
    webhook_private_targets=True, webhook_timeout_seconds=2.0, webhook_backoff_seconds=0.02
)
OPENING = [1, 2, 3]

pytestmark = pytest.mark.commits


class Post:
    """A shop, a receiver, and what carries the events from one to the other."""

    def __init__(self, url: str, received: Receiver) -> None:
        app = myapp.main({}, **{"sqlalchemy.url": url, "myapp.auth": "open", "myapp.webhook_private_targets": "on"})
        self.engine = app.registry["db.engine"]
        self.sessions = app.registry["db.sessions"]
        self.shop = Shop(webtest.TestApp(app, extra_environ=LOOPBACK)).open()
        self.receiver = received

    def subscribe(self, path: str = "/", **more: Any) -> dict[str, Any]:
        url = self.receiver.url.rstrip("/") + path
        made = self.shop.must(201, "POST", "webhooks", {"url": url, "after": 0, **more})
        self.receiver.secrets[path] = made["secret"]
        return made

    def deliver(self, **changed: Any) -> None:
        """Send what is due."""
        Dispatcher(self.sessions, replace(APPLICATION, **changed), stopping=threading.Event()).work(once=True)

    def look(self, made: dict[str, Any]) -> dict[str, Any]:
        return self.shop.must(200, "GET", f"webhooks/{made['id']}")

    def deliver_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline
            self.deliver()
            time.sleep(0.01)


@pytest.fixture
def post(dialect: str, fresh_database_url: Callable[[str], str]) -> Iterator[Post]:
    with receiver() as received:
        made = Post(fresh_database_url(dialect), received)
        yield made
        made.engine.dispose()


class TestDelivery:
    def test_sends_what_the_feed_tells_signed_and_in_order(self, post: Post):
        made = post.subscribe()
        for _ in range(3):
            post.shop.must(201, "POST", "transactions", sale())

        post.deliver()
        post.deliver()

        told = post.shop.must(200, "GET", "events")["items"]
        assert [each.id for each in post.receiver.received] == [event["id"] for event in told]
        for each, event in zip(post.receiver.received, told, strict=True):
            assert each.body == {
                "type": event["type"],
                "timestamp": event["recorded_at"],
                "ledger": post.shop.name,
                "seq": event["seq"],
                "id": event["id"],
                "data": event["data"],
            }
        assert post.look(made)["position"] == told[-1]["seq"]

    def test_sends_only_the_types_asked_for_and_a_ping_to_whom_it_is_meant(self, post: Post):
        one = post.subscribe("/one", types=["transaction.posted"])
        post.subscribe("/two", types=["account.opened"])
        post.shop.must(201, "POST", "transactions", sale())
        post.shop.must(200, "POST", f"webhooks/{one['id']}/ping", {})

        post.deliver()

        assert post.receiver.seqs("/one") == [4, 5]
        assert post.receiver.seqs("/two") == [2, 3]
        assert post.look(one)["position"] == 5

    def test_sends_again_what_is_not_taken_and_nothing_behind_it(self, post: Post):
        made = post.subscribe()
        answers = iter([500, 302, 404, 204, 500])
        post.receiver.answer = lambda _body: next(answers, 204)

        post.deliver(webhook_backoff_seconds=600.0)
        failing = post.look(made)
        assert (failing["failures"], failing["last_error"], failing["state"]) == (1, "answered 500", "active")
        assert failing["next_attempt_at"] is not None
        with scope.session_scope(post.sessions) as session:
            session.execute(sa.update(webhooks).values(due_at=datetime.now(UTC)))
        post.deliver_until(lambda: post.receiver.taken() == OPENING)

        # The redirect was not followed, or it would have been one message more.
        assert post.receiver.seqs() == [1, 1, 1, 1, 2, 2, 3]
        assert len({each.id for each in post.receiver.received}) == 3
        found = post.look(made)
        assert (found["failures"], found["failing_since"], found["last_error"]) == (0, None, None)

    def test_disables_what_fails_for_too_long_and_goes_on_when_it_is_enabled(self, post: Post):
        made = post.subscribe()
        post.receiver.answer = lambda _body: 500
        post.deliver()
        with scope.session_scope(post.sessions) as session:
            long_ago = datetime.now(UTC) - timedelta(days=5)
            session.execute(sa.update(webhooks).values(failing_since=long_ago, due_at=long_ago))

        post.deliver()
        assert post.look(made)["state"] == "disabled"
        sent = len(post.receiver.received)
        post.deliver()
        assert len(post.receiver.received) == sent
        told = post.shop.must(200, "GET", "events")["items"][-1]
        assert told["type"] == "webhook.disabled"
        assert told["data"] == {"webhook": made["id"], "error": "answered 500"}

        post.receiver.answer = lambda _body: 204
        post.shop.must(200, "PATCH", f"webhooks/{made['id']}", {"active": True})
        post.deliver()
        assert post.receiver.taken() == [*OPENING, 4]

    def test_disables_at_once_what_is_gone(self, post: Post):
        made = post.subscribe()
        post.receiver.answer = lambda _body: 410

        post.deliver()

        assert post.look(made)["state"] == "disabled"

    def test_sends_again_what_is_asked_for_with_the_ids_it_had(self, post: Post):
        made = post.subscribe()
        post.deliver()
        post.shop.must(200, "POST", f"webhooks/{made['id']}/replay", {"after": 1})
        post.deliver()

        assert post.receiver.seqs() == [*OPENING, 2, 3]
        ids = [each.id for each in post.receiver.received]
        assert ids[3:] == ids[1:3]

    def test_signs_with_both_secrets_for_a_while(self, post: Post):
        made = post.subscribe()
        post.shop.must(200, "POST", f"webhooks/{made['id']}/secret", {})
        post.deliver()
        # The receiver still has the old one, and verified by that.
        assert post.receiver.seqs() == OPENING
        with scope.session_scope(post.sessions) as session:
            session.execute(sa.update(webhooks).values(previous_until=datetime(2026, 1, 1, tzinfo=UTC)))
        post.shop.must(201, "POST", "transactions", sale())
        post.deliver()

        assert post.receiver.seqs() == OPENING
        assert post.look(made)["failures"] > 0

    def test_sends_nothing_to_what_is_paused_or_removed(self, post: Post):
        one, two = post.subscribe("/one"), post.subscribe("/two")
        post.shop.must(200, "PATCH", f"webhooks/{one['id']}", {"active": False})
        post.shop.must(204, "DELETE", f"webhooks/{two['id']}")

        post.deliver()

        assert post.receiver.received == []

    def test_stops_where_the_webhook_was_changed_meanwhile(self, post: Post):
        made = post.subscribe()

        def pause(body: dict[str, Any]) -> int:
            if body["seq"] == 2:
                post.shop.must(200, "PATCH", f"webhooks/{made['id']}", {"active": False})
            return 204

        post.receiver.answer = pause
        post.deliver()

        assert post.receiver.seqs() == [1, 2]
        # What was on its way comes again, since its end was noted nowhere.
        assert post.look(made)["position"] == 1

    def test_by_many_at_once_sends_each_event_once(self, post: Post):
        paths = ["/one", "/two", "/three"]
        for path in paths:
            post.subscribe(path)
        for _ in range(10):
            post.shop.must(201, "POST", "transactions", sale())

        threads = [threading.Thread(target=post.deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for path in paths:
            assert post.receiver.seqs(path) == list(range(1, 14))

    def test_takes_over_from_who_died(self, post: Post):
        post.subscribe()
        now = datetime.now(UTC)
        with scope.session_scope(post.sessions) as session:
            ledger = queries.get_ledger(session, post.shop.name)
            [(ledger_id, id_)] = delivering.list_due(session, now=now, limit=9)
            until = now + timedelta(hours=1)
            assert delivering.take(session, ledger_id, id_, now=now, until=until) is not None
            assert delivering.take(session, ledger.id, id_, now=now, until=until) is None

        post.deliver()
        assert post.receiver.received == []

        # The hour is over.
        with scope.session_scope(post.sessions) as session:
            session.execute(sa.update(webhooks).values(leased_until=now))
        post.deliver_until(lambda: post.receiver.seqs() == OPENING)

    def test_is_a_command(self, post: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capfd: Any):
        post.subscribe()
        ini = tmp_path / "deliver.ini"
        url = post.engine.url.render_as_string(hide_password=False).replace("%", "%%")
        ini.write_text(f"[app:main]\nuse = egg:myapp\nsqlalchemy.url = {url}\nmyapp.webhook_private_targets = on\n")

        assert main.main(["deliver", "--once", "--workers", "2", "--ini", str(ini)]) == 0

        assert post.receiver.seqs() == OPENING


class TestPause:
    def test_doubles_up_to_an_hour(self):
        assert all(0.01 <= dispatching.pause_seconds(0, 0.02) <= 0.02 for _ in range(9))
        assert 2.56 <= dispatching.pause_seconds(8, 0.02) <= 5.12
        assert 1800 <= dispatching.pause_seconds(10**6, 5) <= 3600


class TestSender:
    @pytest.mark.parametrize(
        "address",
        ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
         "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::", "ff02::1"],
    )  # fmt: skip
    def test_goes_to_no_private_address(self, address: str):
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::9", "::ffff:9.9.9.9"])
    def test_goes_to_public_ones(self, address: str):
        assert is_public(address)

    def test_judges_the_address_a_name_leads_to(self):
        with receiver() as received:
            port = received.url.rstrip("/").rpartition(":")[2]
            sender = Sender(timeout_seconds=2, allows_private=False)
            outcome = sender.send(f"https://localhost:{port}/", b"{}", {})

        assert str(outcome) == "Unreachable: localhost leads to no public address"
        assert str(sender.send(received.url, b"{}", {})) == "Unreachable: only https is allowed"

    def test_verifies_certificates(self):
        with receiver() as received:
            outcome = Sender(timeout_seconds=2, allows_private=True).send(
                received.url.replace("http:", "https:"), b"{}", {}
            )

        assert not outcome.is_taken
        assert "SSL" in str(outcome)

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 20"])
    def test_gives_up_who_does_not_come_to_an_end(self, said: bytes):
        with socket.create_server(("127.0.0.1", 0)) as server:
            stopped = threading.Event()

            def drip() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(said)
                    # Each bit in time for a time-out that begins anew.
                    while not stopped.wait(0.1):
                        try:
                            connection.sendall(b"x" if said else b"")
                        except OSError:
                            return

            thread = threading.Thread(target=drip)
            thread.start()
            outcome = Sender(timeout_seconds=0.5, allows_private=True).send(
                f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}
            )
            stopped.set()
            thread.join()

        assert not outcome.is_taken
        assert outcome.error

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:99999/", "http://[::1/", "http://a..b/"])
    def test_says_what_is_wrong_with_an_address(self, url: str):
        outcome = Sender(timeout_seconds=0.5, allows_private=True).send(url, b"{}", {})

        assert outcome.error
