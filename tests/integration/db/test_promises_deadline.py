"""SESSION promise 13: one time budget for a request, and nothing of it left on the connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors
from myapp.db.databases import postgresql
from myapp.db.limits import admission, deadline
from myapp.db.unit import Unit
from tests.integration.db.conftest import ENDLESS, MakeNotes, NotesApp

only_on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

WRITE = sa.text("INSERT INTO notes (id, text) VALUES (1, 'mine')")
# Whatever a bound is, the answer comes long before this.
FAR_LATER = 5.0
BUDGET = {"db.deadline_seconds": "0.3"}
LONG = "30"

# Each takes a moment, in which a deadline that was left behind would end it.
LEISURELY = {
    "postgresql": "SELECT count(*) FROM generate_series(1, 100000), pg_sleep(0.2)",
    "sqlite": ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT count(*) FROM n"),
}


def write(request: Request) -> Response:
    request.dbsession.execute(WRITE)
    return Response()


def is_over_in_time(ask: Callable[[], Response]) -> bool:
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < FAR_LATER
    return answer.status_int == 500 and "DeadlineExceeded" in answer.text


def running(text: str) -> Callable[[Request], Response]:
    """Return a view that runs a statement, and says what its error means."""

    def view(request: Request) -> Response:
        try:
            request.dbsession.execute(sa.text(text)).all()
        except sa.exc.OperationalError as exc:
            raise errors.translate(exc) from exc
        return Response()

    return view


@pytest.fixture
def endless(dialect: str) -> Callable[[Request], Response]:
    return running(ENDLESS[dialect])


class TestPromise13OneDeadline:
    def test_bounds_the_wait_for_a_connection(self, make_notes: MakeNotes):
        notes = make_notes(write, **{"db.pool_size": "1", "db.pool_timeout_seconds": LONG})
        line = admission.of(notes.engine).connections
        assert line.enter(0)

        assert is_over_in_time(lambda: notes.client.post("/notes", headers={"Request-Timeout": "0.3"}, status=500))
        line.leave()
        notes.client.post("/notes", status=200)

    def test_bounds_the_wait_for_a_lock(self, make_notes: MakeNotes, dialect: str):
        seen: list[BaseException] = []

        def view(request: Request) -> Response:
            try:
                request.dbsession.execute(WRITE)
            except Exception as exc:
                seen.append(exc)
                raise
            return Response()

        notes = make_notes(view, **{"db.busy_timeout_seconds": LONG, "db.lock_timeout_seconds": LONG}, **BUDGET)
        with notes.engine.begin() as blocker:
            if dialect == "postgresql":
                blocker.exec_driver_sql("LOCK TABLE notes")
            began = time.monotonic()
            notes.client.post("/notes", status=500)
            assert time.monotonic() - began < FAR_LATER

        assert isinstance(errors.translate(seen[0]), errors.DatabaseError)
        assert notes.texts() == []

    def test_bounds_a_statement(self, make_notes: MakeNotes, endless: Callable[[Request], Response]):
        notes = make_notes(endless, **BUDGET)

        assert is_over_in_time(lambda: notes.client.get("/notes", status=500))
        assert notes.checked_out() == 0

    @only_on_postgresql
    def test_is_not_what_ended_a_statement_that_somebody_cancelled(self, make_notes: MakeNotes, dialect: str):
        notes = make_notes(running("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(600)"))

        assert "Unavailable" in notes.client.get("/notes", status=500).text

    def test_bounds_all_statements_together(self, make_notes: MakeNotes):
        ran: list[int] = []

        def view(request: Request) -> Response:
            for number in range(100):
                request.dbsession.execute(sa.text("SELECT 1"))
                ran.append(number)
                time.sleep(0.05)
            return Response()

        notes = make_notes(view, **{"db.deadline_seconds": "1"})

        assert is_over_in_time(lambda: notes.client.get("/notes", status=500))
        assert 0 < len(ran) < 30

    @pytest.mark.parametrize("late_seconds", [0.1, 1.5])
    def test_bounds_what_is_still_to_be_committed(
        self, make_notes: MakeNotes, late_seconds: float, caplog: pytest.LogCaptureFixture
    ):
        def view(request: Request) -> Response:
            request.dbsession.execute(WRITE)
            time.sleep(request.db_deadline.remaining() + late_seconds)
            return Response()

        notes = make_notes(view)

        assert is_over_in_time(lambda: notes.client.post("/notes", headers={"Request-Timeout": "1"}, status=500))
        assert notes.texts() == []
        # The connection is given back and goes on serving.
        assert notes.engine.pool.checkedin() == 1
        assert "Traceback" not in caplog.text

    @only_on_postgresql
    @pytest.mark.parametrize("slow", [True, False], ids=["after a while", "at once"])
    def test_leaves_a_part_that_fails_to_its_savepoint(self, make_notes: MakeNotes, dialect: str, slow: bool):
        def view(request: Request) -> Response:
            request.dbsession.execute(WRITE)
            with pytest.raises(sa.exc.IntegrityError), request.dbsession.begin_nested():
                # So long that the server is to be told again what remains.
                again = f"INSERT INTO notes (id, text) SELECT 1, 'again' FROM pg_sleep({0.7 if slow else 0})"
                request.dbsession.execute(sa.text(again))
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert notes.texts() == ["mine"]

    @only_on_postgresql
    def test_tells_the_server_again_what_remains(self, make_notes: MakeNotes, dialect: str):
        told: list[int] = []

        def view(request: Request) -> Response:
            for _ in range(2):
                setting = sa.text("SELECT setting::integer FROM pg_settings WHERE name = 'statement_timeout'")
                told.append(request.dbsession.scalar(setting))
                time.sleep(0.7)
            return Response()

        make_notes(view, **{"db.deadline_seconds": "20"}).client.get("/notes", status=200)

        assert 19_000 < told[0] <= 20_000
        assert 16_000 < told[1] <= told[0] - 600

    @only_on_postgresql
    def test_a_short_one_does_not_end_the_connection_of_a_busy_server(self, make_notes: MakeNotes, dialect: str):
        idle = sa.text("SELECT setting::integer FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'")
        notes = make_notes(lambda request: Response(str(request.dbsession.scalar(idle))))

        assert int(notes.client.get("/notes", headers={"Request-Timeout": "4"}).text) >= 10_000

    def test_runs_on_through_repeats(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(request.environ["retry.attempt"])
            request.dbsession.execute(WRITE)
            time.sleep(0.1)
            raise errors.Conflict("somebody was faster")

        # Without a pause, so that nothing but the deadline ends it before the last attempt.
        notes = make_notes(view, **{"retry.attempts": "100", "retry.backoff_seconds": "0"}, **BUDGET)
        began = time.monotonic()
        notes.client.post("/notes", status=500)

        assert time.monotonic() - began < FAR_LATER
        assert 1 <= len(attempts) < 10

    def test_a_view_may_have_less_or_more_than_the_setting(
        self, make_notes: MakeNotes, endless: Callable[[Request], Response]
    ):
        less = make_notes(endless, db={"timeout": 0.2}, **{"db.deadline_seconds": LONG})
        assert is_over_in_time(lambda: less.client.get("/notes", status=500))

        def slow(request: Request) -> Response:
            request.dbsession.execute(sa.text("SELECT 1"))
            time.sleep(0.4)
            request.dbsession.execute(sa.text("SELECT 1"))
            return Response()

        make_notes(slow, db={"timeout": 30}, **BUDGET).client.get("/notes", status=200)

    def test_the_client_may_have_less(self, make_notes: MakeNotes, endless: Callable[[Request], Response]):
        notes = make_notes(endless, **{"db.deadline_seconds": LONG})

        assert is_over_in_time(lambda: notes.client.get("/notes", headers={"Request-Timeout": "0.2"}, status=500))

    def test_the_client_cannot_have_more(self, make_notes: MakeNotes, endless: Callable[[Request], Response]):
        notes = make_notes(endless, **BUDGET)

        assert is_over_in_time(lambda: notes.client.get("/notes", headers={"Request-Timeout": LONG}, status=500))

    @pytest.mark.parametrize("wish", ["", "soon", "0", "-1", "nan", "1 s", "0x1"])
    def test_a_wish_that_makes_no_sense_is_refused_before_anything_is_done(self, make_notes: MakeNotes, wish: str):
        notes = make_notes(write, catch_all=False)
        refused = notes.client.post("/notes", headers={"Request-Timeout": wish}, status=400)

        assert "Request-Timeout" in refused.text
        assert notes.texts() == []

    def test_a_wish_that_makes_no_sense_does_not_hide_what_failed_before_the_view(self, make_notes: MakeNotes):
        def root(_request: Request) -> object:
            raise errors.Conflict("somebody was faster")

        notes = make_notes(write, configure=lambda config: config.set_root_factory(root))

        assert "Conflict" in notes.client.post("/notes", headers={"Request-Timeout": "soon"}, status=500).text

    @pytest.mark.parametrize("wish", ["29.5", "1e300", "inf", ".5e2"])
    def test_a_wish_that_makes_sense_is_taken(self, make_notes: MakeNotes, wish: str):
        make_notes(write).client.post("/notes", headers={"Request-Timeout": wish}, status=200)

    @only_on_postgresql
    def test_leaves_nothing_on_the_connection(self, make_notes: MakeNotes, dialect: str):
        def shown(notes: NotesApp) -> dict[str, str]:
            raw = notes.engine.raw_connection()
            names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
            found = {name: raw.dbapi_connection.execute(f"SHOW {name}").fetchone()[0] for name in names}
            raw.close()
            return found

        notes = make_notes(write, **{"db.pool_size": "1"})
        before = shown(notes)
        notes.client.post("/notes", headers={"Request-Timeout": "7"}, status=200)

        assert shown(notes) == before

    def test_is_forgotten_with_the_request_that_had_it(
        self, make_notes: MakeNotes, dialect: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(postgresql, "SILENCE_SECONDS", 0.0)
        notes = make_notes(write, **{"db.pool_size": "1"})
        notes.client.post("/notes", headers={"Request-Timeout": "2"}, status=200)
        time.sleep(2.1)

        with closing(notes.engine.raw_connection()) as raw:
            assert raw.dbapi_connection.execute(LEISURELY[dialect]).fetchone() == (100_000,)

    def test_refuses_what_begins_just_after_it_without_sending_it(self, make_notes: MakeNotes):
        sent: list[str] = []
        notes = make_notes(write)
        sa.event.listen(notes.engine, "do_execute", lambda _cursor, statement, *_: sent.append(statement))
        unit = Unit(readonly=True, deadline=deadline.after(30))
        with closing(notes.sessions(unit=unit)) as session, pytest.raises(errors.DeadlineExceeded):
            session.begin()
            session.execute(sa.text("SELECT 1"))
            # Much sooner than the server would be told again what remains.
            unit.deadline = deadline.after(0)
            session.execute(sa.text("SELECT 2"))

        assert sent[-1] == "SELECT 1"

    def test_is_forgotten_where_another_thread_ends_the_work(self, make_notes: MakeNotes):
        session = make_notes(write).sessions(unit=Unit(readonly=True, deadline=deadline.after(30)))
        session.begin()
        session.execute(sa.text("SELECT 1"))
        assert admission.connect_by() is session.unit.deadline
        with ThreadPoolExecutor(1) as threads:
            threads.submit(session.close).result()

        assert admission.connect_by() is None

    def test_a_slow_request_takes_nothing_from_the_next_one(
        self, make_notes: MakeNotes, endless: Callable[[Request], Response]
    ):
        def view(request: Request) -> Response:
            if request.method == "GET":
                return endless(request)
            time.sleep(0.4)
            return write(request)

        notes = make_notes(view, **{"db.pool_size": "1", "db.deadline_seconds": LONG})
        with ThreadPoolExecutor(1) as clients:
            clients.submit(notes.client.get, "/notes", headers={"Request-Timeout": "0.3"}, status=500).result()

        notes.client.post("/notes", status=200)
        assert notes.texts() == ["mine"]
