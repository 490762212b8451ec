"""Promises 15 and 16 on a real primary with a real streaming standby: where a request is answered, and what it sees.

`replay_paused` holds the standby back, so that it shows the past for as long as a test needs.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import engine, errors, scope
from myapp.db.limits import admission
from myapp.db.replication import position, replicas, routed
from myapp.db.session import UnitOfWorkSession
from tests.faults.cutting_proxy import cutting_proxy
from tests.integration.db.conftest import MakeNotes, Note, NotesApp
from tests.own_postgresql import OwnPostgresql, wait_until
from tests.postgresql_pair import PostgresqlPair

SECRET = "a secret of the tests, long enough"
HEADER = position.HEADER
BEFORE_COMMIT = "X-Before-Commit"


def say_what_it_means(exc: Exception, _request: Request) -> Response:
    meant = errors.translate(exc)
    return Response(f"{type(exc).__name__}: {exc}" if meant is None else meant.code, status=503 if meant else 500)


def page(request: Request) -> Response:
    """Read the line and say on which server, or write it; an empty line is refused."""
    if request.method == "POST":
        request.dbsession.execute(sa.text("UPDATE page SET line = :line"), {"line": request.text})
        here = str(request.dbsession.scalar(sa.text(f"{routed.HERE} AS here")))
        return Response("written", status=200 if request.text else 409, headers={BEFORE_COMMIT: here})
    query = sa.text("SELECT line, pg_is_in_recovery() FROM page")
    line, on_replica = request.dbsession.execute(query).one()
    return Response(f"{line} on the {'replica' if on_replica else 'primary'}")


# To ask whether it lives, to connect to it, and a slow machine.
FAR_LATER = 6.0

OF_THE_APPLICATION = "FROM pg_stat_activity WHERE application_name = 'myapp'"
ON_REPLICA = sa.text("SELECT pg_is_in_recovery()")


def stream(request: Request) -> Response:
    """Read the line as `page` does, on the session of a stream."""

    def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
        line, on_replica = session.execute(sa.text("SELECT line, pg_is_in_recovery() FROM page")).one()
        yield f"{line} on the {'replica' if on_replica else 'primary'}".encode()

    return Response(app_iter=request.dbstream(rows), content_type="text/plain")


VIEWS: dict[str, dict[str, object]] = {
    "page": {},
    "fresh": {"primary": True},
    "fixed": {"isolation": "REPEATABLE READ"},
    "strict": {"isolation": "SERIALIZABLE"},
}


@dataclass
class Site:
    """One process of the application, with a client that says which token it sends."""

    client: webtest.TestApp

    def read(self, token: str | None = None, *, path: str = "/page", status: int = 200) -> webtest.TestResponse:
        return self.client.get(path, headers={} if token is None else {HEADER: token}, status=status)

    def write(self, line: str, token: str | None = None, *, status: int = 200) -> webtest.TestResponse:
        headers = {} if token is None else {HEADER: token}
        return self.client.post("/page", line.encode(), headers=headers, status=status)

    def close(self) -> None:
        """Check that nothing is left in use, on any server."""
        registry = self.client.app.registry
        known = registry.get("db.replicas")
        for bind in [registry["db.engine"], *(replica.engine for replica in (known.members if known else ()))]:
            assert bind.pool.checkedout() == 0
            assert bind.get_execution_options()["db_admission"].connections.taken == 0
            bind.dispose()


MakeSite = Callable[..., Site]


@pytest.fixture
def pair(postgresql_pair: PostgresqlPair) -> Iterator[PostgresqlPair]:
    """Lend the pair with a page that says "old", on both."""
    postgresql_pair.primary.value("CREATE TABLE page AS SELECT 'old' AS line")
    postgresql_pair.wait_until_replayed()
    yield postgresql_pair
    postgresql_pair.restore()
    postgresql_pair.primary.value("DROP TABLE page")


@pytest.fixture
def make_site(pair: PostgresqlPair) -> Iterator[MakeSite]:
    made: list[Site] = []

    def make(**settings: str) -> Site:
        defaults = {
            "sqlalchemy.url": pair.primary_url,
            "sqlalchemy.replica_urls": pair.standby_url,
            "db.token_secret": SECRET,
        }
        config = Configurator(settings=defaults | settings)
        config.include("myapp.db")
        for name, db in VIEWS.items():
            config.add_route(name, f"/{name}")
            config.add_view(page, route_name=name, db=db)
        config.add_route("stream", "/stream")
        config.add_view(stream, route_name="stream")
        config.add_exception_view(say_what_it_means, context=Exception)
        made.append(Site(webtest.TestApp(config.make_wsgi_app())))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each question to a replica how far it has come."""
    asked: list[str] = []
    how_far = replicas.Replica._how_far

    def note(replica: replicas.Replica) -> int:
        asked.append(str(replica.engine.url))
        return how_far(replica)

    monkeypatch.setattr(replicas.Replica, "_how_far", note)
    return asked


def reached(answer: webtest.TestResponse) -> int:
    found = position.find_position(answer.headers[HEADER], secret=SECRET)
    assert found is not None
    return found


@contextmanager
def frozen(server: OwnPostgresql) -> Iterator[None]:
    """Freeze a server for a block, and not for ever: whatever else breaks, the test ends."""
    server.freeze()
    rescue = threading.Timer(2 * FAR_LATER, server.thaw)
    rescue.start()
    try:
        yield
    finally:
        rescue.cancel()
        server.thaw()


class TestPromise15Replicas:
    def test_reads_go_to_a_replica_and_writes_to_the_primary(self, make_site: MakeSite, pair: PostgresqlPair):
        site = make_site()

        assert site.read().text == "old on the replica"
        assert site.write("new").text == "written"
        pair.wait_until_replayed()
        assert site.read().text == "new on the replica"

    @pytest.mark.parametrize("path", ["/fresh", "/strict"])
    def test_reads_that_no_replica_can_answer_go_to_the_primary(self, make_site: MakeSite, path: str):
        assert make_site().read(path=path).text == "old on the primary"

    def test_several_replicas_take_turns(self, make_site: MakeSite, pair: PostgresqlPair):
        # The primary as a replica of its own, to be told from the other one.
        site = make_site(**{"sqlalchemy.replica_urls": f"{pair.standby_url} {pair.primary_url}"})

        assert {site.read().text for _ in range(2)} == {"old on the replica", "old on the primary"}

    def test_one_behind_a_new_connection_is_asked_again_how_far_it_has_come(
        self, make_site: MakeSite, pair: PostgresqlPair, monkeypatch: pytest.MonkeyPatch
    ):
        site = make_site()
        assert site.read().text == "old on the replica"
        (replica,) = site.client.app.registry["db.replicas"].members
        # As of one that was further, before somebody put an older copy in its place.
        replica._replayed = position.PRIMARY_ONLY - 1
        monkeypatch.setattr(engine, "IDLE_SECONDS_BEFORE_PING", 0)
        with pair.replay_paused():
            token = site.write("new").headers[HEADER]
            pair.standby.value(f"SELECT pg_terminate_backend(pid, 5000) {OF_THE_APPLICATION}")

            assert site.read(token).text == "new on the primary"

    def test_a_url_with_several_servers_behind_it_shows_nobody_the_past(
        self, make_site: MakeSite, pair: PostgresqlPair
    ):
        primary, standby = sa.make_url(pair.primary_url), sa.make_url(pair.standby_url)
        hosts = f"host={primary.host}:{primary.port}&host={standby.host}:{standby.port}&load_balance_hosts=random"
        both = f"postgresql://{standby.username}@/{standby.database}?{hosts}"
        site = make_site(**{"sqlalchemy.replica_urls": both, "retry.attempts": "10", "db.pool_size": "1"})
        engine = site.client.app.registry["db.replicas"].members[0].engine
        with pair.replay_paused():
            token = site.write("new").headers[HEADER]
            for _ in range(20):
                # So that each read is on a connection of its own, to whichever server.
                engine.dispose()
                assert site.read(token).text.startswith("new on")

    def test_without_replicas_nothing_is_added(self, make_site: MakeSite):
        site = make_site(**{"sqlalchemy.replica_urls": "", "db.token_secret": SECRET})

        assert HEADER not in site.write("new").headers
        assert HEADER not in site.read(position.token(1, secret=SECRET)).headers


class TestPromise15ReadYourWrites:
    def test_a_read_with_the_token_never_sees_the_past_and_one_without_may(
        self, make_site: MakeSite, pair: PostgresqlPair
    ):
        site = make_site()
        assert site.read().text == "old on the replica"
        with pair.replay_paused():
            token = site.write("new").headers[HEADER]

            assert site.read().text == "old on the replica"
            assert site.read(token).text == "new on the primary"

        assert site.read(token).text == "new on the replica"

    def test_a_stream_never_sees_the_past_either(self, make_site: MakeSite, pair: PostgresqlPair):
        site = make_site()
        with pair.replay_paused():
            token = site.write("new").headers[HEADER]

            assert site.read(path="/stream").text == "old on the replica"
            assert site.read(token, path="/stream").text == "new on the primary"

    def test_a_read_that_sees_one_moment_never_sees_one_before_it_was_asked_how_far_it_is(
        self, make_site: MakeSite, pair: PostgresqlPair, monkeypatch: pytest.MonkeyPatch
    ):
        asked: list[int] = []
        how_far = replicas.how_far

        def slowly(driver: psycopg.Connection) -> int:
            # The question fixes what is seen; the replica comes as far as it has to before it answers.
            driver.execute("SELECT 1")
            pair.resume_replay()
            pair.wait_until_replayed()
            asked.append(how_far(driver))
            return asked[-1]

        monkeypatch.setattr(replicas, "how_far", slowly)
        site = make_site(**{"retry.attempts": "1"})
        (replica,) = site.client.app.registry["db.replicas"].members
        with pair.replay_paused():
            written = site.write("new")
            # As one behind the same address that was further.
            replica._answers, replica._replayed = True, reached(written)

            assert site.read(written.headers[HEADER], path="/fixed").text == "new on the replica"
        assert len(asked) == 1
        assert asked[0] >= reached(written)

    def test_the_position_is_that_after_the_commit(self, make_site: MakeSite):
        answer = make_site().write("new")

        assert int(answer.headers[BEFORE_COMMIT]) < reached(answer) < position.PRIMARY_ONLY

    def test_the_token_is_short_and_valid_for_every_process(self, make_site: MakeSite, pair: PostgresqlPair):
        token = make_site().write("new").headers[HEADER]
        pair.wait_until_replayed()
        with pair.replay_paused():
            newer = make_site().write("newer").headers[HEADER]
            other = make_site()

            assert other.read(token).text == "new on the replica"
            assert other.read(newer).text == "newer on the primary"
        assert len(token) <= 32
        assert token.replace("-", "").replace("_", "").isalnum()

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda token: token[:-1],
            lambda token: "",
            lambda token: "é" * 32,
            # A later byte of the signature, then an earlier position under the signature of a later one.
            lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
            lambda token: base64.urlsafe_b64encode(bytes(8) + base64.urlsafe_b64decode(token)[8:]).decode(),
            lambda token: position.token(1, secret="a secret of somebody else, as long"),
        ],
        ids=["cut", "empty", "no ASCII", "changed", "forged", "another secret"],
    )
    def test_a_token_that_is_not_ours_is_answered_by_the_primary_with_a_good_one(
        self, make_site: MakeSite, pair: PostgresqlPair, spoil: Callable[[str], str]
    ):
        site = make_site()
        token = site.write("new").headers[HEADER]
        pair.wait_until_replayed()

        answer = site.read(spoil(token))

        assert answer.text == "new on the primary"
        pair.wait_until_replayed()
        assert site.read(answer.headers[HEADER]).text == "new on the replica"

    def test_an_answer_carries_on_the_token_it_was_asked_with(self, make_site: MakeSite, pair: PostgresqlPair):
        site = make_site()
        token = site.write("new").headers[HEADER]

        assert site.read(token).headers[HEADER] == token
        assert site.write("", token, status=409).headers[HEADER] == token
        assert site.client.get("/nowhere", headers={HEADER: token}, status=404).headers[HEADER] == token
        assert HEADER not in site.read().headers
        assert reached(site.write("newer", token)) > reached(site.read(token))

    def test_a_replica_is_not_asked_again_how_far_it_has_come(
        self, make_site: MakeSite, pair: PostgresqlPair, questions: list[str]
    ):
        site = make_site()
        old = site.write("old").headers[HEADER]
        new = site.write("new").headers[HEADER]
        pair.wait_until_replayed()

        for token in (new, old, None, new):
            assert site.read(token).text == "new on the replica"
        assert len(questions) == 1

    def test_a_commit_whose_position_is_lost_is_a_commit(self, make_site: MakeSite, pair: PostgresqlPair):
        with cutting_proxy(pair.primary_url) as proxy:
            site = make_site(**{"sqlalchemy.url": proxy.url})
            site.write("old")
            # With its end, since the view asks as well.
            proxy.cut_at = f"{routed.HERE}\0".encode()
            token = site.write("new").headers[HEADER]
            proxy.cut_at = None

            assert proxy.cuts == 1
            pair.wait_until_replayed()
            assert site.read(token).text == "new on the primary"

    def test_a_scope_reads_its_own_writes_unless_it_says_otherwise(self, make_site: MakeSite, pair: PostgresqlPair):
        sessions = make_site().client.app.registry["db.sessions"]
        query = sa.text("SELECT line FROM page")
        with pair.replay_paused():
            with scope.session_scope(sessions) as session:
                session.execute(sa.text("UPDATE page SET line = 'new'"))
            with scope.session_scope(sessions, readonly=True) as session:
                assert session.scalar(query) == "new"
            with scope.session_scope(sessions, readonly=True, primary=False) as session:
                assert session.scalar(query) == "old"


class TestPromise15WithoutAReplica:
    @pytest.fixture(autouse=True)
    def pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replicas, "LEFT_ALONE_SECONDS", 1.5)

    @pytest.mark.parametrize("is_warm", [True, False])
    def test_reads_fall_back_to_the_primary_until_it_is_there_again(
        self, make_site: MakeSite, pair: PostgresqlPair, questions: list[str], is_warm: bool
    ):
        site = make_site()
        if is_warm:
            assert site.read().text == "old on the replica"
        pair.standby.stop()

        assert site.read().text == "old on the primary"
        asked = len(questions)
        assert site.read().text == "old on the primary"
        assert len(questions) == asked, "it was to be left alone"

        pair.standby.start()
        wait_until(lambda: site.read().text == "old on the replica", "the replica is read from again")

    @pytest.mark.parametrize("known", ["new", "in use", "at rest", "to be asked"])
    def test_one_that_falls_silent_costs_a_moment_once(
        self,
        make_site: MakeSite,
        pair: PostgresqlPair,
        monkeypatch: pytest.MonkeyPatch,
        questions: list[str],
        known: str,
    ):
        monkeypatch.setattr(replicas, "LEFT_ALONE_SECONDS", 30)
        site = make_site()
        if known != "new":
            assert site.read().text == "old on the replica"
        if known == "at rest":
            monkeypatch.setattr(engine, "IDLE_SECONDS_BEFORE_PING", 0)
        token = site.write("old").headers[HEADER] if known == "to be asked" else None

        with frozen(pair.standby), ThreadPoolExecutor(3) as threads:
            began = time.monotonic()
            answers = list(threads.map(site.read, [token, token, token]))
            assert {answer.text for answer in answers} == {"old on the primary"}
            assert time.monotonic() - began < FAR_LATER
            began = time.monotonic()
            assert site.read(token).text == "old on the primary"
            assert time.monotonic() - began < replicas.ANSWER_SECONDS
        assert known != "new" or len(questions) == 1, "one was to try, the others to go elsewhere"

    def test_one_that_was_started_again_is_not_met_on_its_dead_connections(
        self, make_site: MakeSite, pair: PostgresqlPair, monkeypatch: pytest.MonkeyPatch, questions: list[str]
    ):
        site = make_site()
        sessions = site.client.app.registry["db.sessions"]
        with (
            scope.session_scope(sessions, readonly=True, primary=False) as one,
            scope.session_scope(sessions, readonly=True, primary=False) as other,
        ):
            assert {one.scalar(ON_REPLICA), other.scalar(ON_REPLICA)} == {True}
        pair.standby.stop()
        pair.standby.start()
        monkeypatch.setattr(replicas, "LEFT_ALONE_SECONDS", 0)

        # To be answered it would have to ask, on the first of the two.
        assert site.read(site.write("new").headers[HEADER]).text == "new on the primary"
        pair.wait_until_replayed()
        with scope.session_scope(sessions, readonly=True, primary=False) as one:
            assert one.scalar(ON_REPLICA) is True
            asked = len(questions)
            assert site.read().text == "new on the replica"
        assert len(questions) == asked, "it broke again"

    def test_another_replica_takes_over(self, make_site: MakeSite, pair: PostgresqlPair):
        nowhere = pair.standby_url.replace(f":{pair.standby.port}", ":1")
        site = make_site(**{"sqlalchemy.replica_urls": f"{nowhere} {pair.standby_url}"})

        assert {site.read().text for _ in range(4)} == {"old on the replica"}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
class TestPromise15AFullReplica:
    @pytest.fixture
    def used(self) -> list[sa.Engine]:
        return []

    @pytest.fixture
    def notes(self, make_notes: MakeNotes, notes_url: str, used: list[sa.Engine], dialect: str) -> NotesApp:
        def view(request: Request) -> Response:
            request.dbsession.execute(sa.select(Note.text))
            used.append(request.dbsession.bind)
            return Response()

        replica_urls = {"sqlalchemy.replica_urls": f"{notes_url} {notes_url}", "db.token_secret": SECRET}
        return make_notes(view, **{"db.pool_size": "1", "db.waiting_max": "0"}, **replica_urls)

    def test_sends_reads_on_to_the_next(self, notes: NotesApp, used: list[sa.Engine]):
        full, free = notes.client.app.registry["db.replicas"].members
        with filled(full):
            for _ in range(2):
                notes.client.get("/notes", status=200)

        assert used == [free.engine, free.engine]

    def test_sends_nothing_to_the_primary_where_all_are_full(self, notes: NotesApp, used: list[sa.Engine]):
        one, other = notes.client.app.registry["db.replicas"].members
        with filled(one), filled(other):
            assert "Overloaded" in notes.client.get("/notes", status=500).text

        assert used == []
        notes.client.get("/notes", status=200)
        notes.client.get("/notes", status=200)
        assert set(used) == {one.engine, other.engine}


@contextmanager
def filled(replica: replicas.Replica) -> Iterator[None]:
    """Take the last place before a replica for a block."""
    found = admission.of(replica.engine)
    assert found is not None
    assert found.connections.enter(0)
    yield
    found.connections.leave()


class TestPromise16MaintenanceMode:
    @pytest.mark.parametrize("is_warm", [True, False])
    def test_with_the_primary_down_reads_go_on_and_writes_are_refused_at_once(
        self, make_site: MakeSite, pair: PostgresqlPair, is_warm: bool
    ):
        site = make_site()
        if is_warm:
            site.write("old")
            pair.wait_until_replayed()
        pair.stop_primary()

        assert site.read().text == "old on the replica"
        began = time.monotonic()
        assert site.write("new", status=503).text == "read-only"
        assert time.monotonic() - began < 2
        assert site.read(path="/fresh", status=503).text == "unavailable"

        pair.start_primary()
        assert site.write("new").text == "written"

    def test_a_read_that_the_replica_cannot_answer_is_refused_rather_than_late(
        self, make_site: MakeSite, pair: PostgresqlPair
    ):
        site = make_site()
        with pair.replay_paused():
            token = site.write("new").headers[HEADER]
            pair.stop_primary()

            assert site.read(token, status=503).text == "unavailable"
            assert site.read().text == "old on the replica"
            pair.start_primary()

    def test_a_promoted_replica_takes_the_writes_without_a_new_start(self, make_site: MakeSite, pair: PostgresqlPair):
        hosts = f"host=127.0.0.1:{pair.primary.port}&host=127.0.0.1:{pair.standby.port}"
        url = f"postgresql://postgres@/postgres?{hosts}&target_session_attrs=read-write"
        site = make_site(**{"sqlalchemy.url": url})
        before = site.write("before").headers[HEADER]
        pair.wait_until_replayed()
        pair.stop_primary()
        assert site.write("meanwhile", status=503).text == "read-only"
        assert site.read(before).text.startswith("before on the replica")

        pair.promote()

        token = site.write("after").headers[HEADER]
        for _ in range(3):
            assert site.read(token).text == "after on the primary"

    def test_a_primary_that_was_set_read_only_refuses_writes(self, make_site: MakeSite, pair: PostgresqlPair):
        pair.primary.value("ALTER DATABASE postgres SET default_transaction_read_only = on")
        try:
            site = make_site()

            assert site.write("new", status=503).text == "read-only"
            assert site.read().text == "old on the replica"
        finally:
            pair.primary.value("BEGIN READ WRITE; ALTER DATABASE postgres RESET ALL; COMMIT")


class TestPromise16WritesOff:
    def test_writes_are_refused_and_reads_go_on(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(sa.select(Note.text))
            return Response("done")

        notes = make_notes(view, catch_all=False, configure=say_it, **{"db.writes": "off"})

        assert notes.client.post("/notes", status=503).text == "read-only"
        assert notes.client.get("/notes").text == "done"
        with pytest.raises(errors.ReadOnly), scope.session_scope(notes.sessions) as session:
            session.add(Note(text="from a script"))
        assert notes.texts() == []
        assert notes.checked_out() == 0


def say_it(config: Configurator) -> None:
    config.add_exception_view(say_what_it_means, context=Exception)
