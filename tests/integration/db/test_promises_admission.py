"""SESSION promise 14: under too much load some are refused at once, the others are served in the order they came."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors, scope
from myapp.db.limits import admission
from myapp.db.limits.line import Line, Seats
from tests.integration.db.conftest import MakeNotes, NotesApp

WAIT_SECONDS = 10


class Gate:
    """A view that stays in its request, with its connection, until it is let go."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, request: Request) -> Response:
        if request.method == "POST":
            note = {"id": int(request.params["id"]), "text": request.params["id"]}
            request.dbsession.execute(sa.text("INSERT INTO notes (id, text) VALUES (:id, :text)"), note)
        else:
            request.dbsession.execute(sa.text("SELECT 1"))
        if "stay" in request.params:
            self.inside.release()
            assert self.open.wait(WAIT_SECONDS)
        return Response()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@contextmanager
def staying(notes: NotesApp, gate: Gate, method: str = "get") -> Iterator[Future[Any]]:
    """Hold a connection inside a request meanwhile."""
    with ThreadPoolExecutor(1) as threads:
        stays = threads.submit(getattr(notes.client, method), "/notes?stay=1&id=1")
        try:
            assert gate.inside.acquire(timeout=WAIT_SECONDS)
            yield stays
        finally:
            gate.open.set()
        assert stays.result(WAIT_SECONDS).status_int == 200


def until_waiting(line: Line, count: int) -> None:
    for _ in range(WAIT_SECONDS * 100):
        if line.waiting == count:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{line.waiting} wait, not {count}")


def lines(notes: NotesApp) -> admission.Admission:
    found = admission.of(notes.engine)
    assert found is not None
    return found


class TestPromise14Admission:
    def test_refuses_at_once_when_enough_wait(self, make_notes: MakeNotes, gate: Gate):
        notes = make_notes(gate, **{"db.pool_size": "1", "db.waiting_max": "0"})
        with staying(notes, gate):
            # The one at work is not let go before this is answered.
            refused = notes.client.get("/notes", status=500)

        assert "Overloaded" in refused.text
        notes.client.get("/notes", status=200)

    def test_serves_those_who_wait_in_the_order_they_came(self, make_notes: MakeNotes, gate: Gate):
        notes = make_notes(gate, **{"db.pool_size": "1", "db.waiting_max": "5"})
        line = lines(notes).connections
        served: list[int] = []
        with ThreadPoolExecutor(5) as threads, staying(notes, gate):
            for number in range(5):
                threads.submit(notes.client.get, "/notes").add_done_callback(
                    lambda _done, number=number: served.append(number)
                )
                until_waiting(line, number + 1)
            assert "Overloaded" in notes.client.get("/notes", status=500).text

        assert served == [0, 1, 2, 3, 4]
        assert (line.taken, line.waiting) == (0, 0)

    def test_refuses_whoever_waited_as_long_as_the_setting_allows(self, make_notes: MakeNotes, gate: Gate):
        notes = make_notes(gate, **{"db.pool_size": "1", "db.pool_timeout_seconds": "0.1"})
        with staying(notes, gate):
            refused = notes.client.get("/notes", status=500)

        assert "Overloaded" in refused.text
        assert lines(notes).connections.waiting == 0

    def test_does_not_concern_a_request_that_needs_no_database(self, make_notes: MakeNotes, gate: Gate):
        def view(request: Request) -> Response:
            return gate(request) if "stay" in request.params else Response("alive")

        notes = make_notes(view, **{"db.pool_size": "1", "db.waiting_max": "0"})
        with staying(notes, gate):
            assert notes.client.get("/notes", status=200).text == "alive"

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_writers_of_sqlite_wait_without_keeping_readers_out(self, make_notes: MakeNotes, dialect: str, gate: Gate):
        notes = make_notes(gate, **{"db.pool_size": "2"})
        with ThreadPoolExecutor(2) as threads:
            with staying(notes, gate, "post"):
                waiting = [threads.submit(notes.client.post, f"/notes?id={number}") for number in (2, 3)]
                until_waiting(lines(notes).writers, 2)
                notes.client.get("/notes", status=200)
            for each in waiting:
                assert each.result(WAIT_SECONDS).status_int == 200

        assert notes.texts() == ["1", "2", "3"]

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_writers_and_readers_of_sqlite_who_wait_are_counted_together(
        self, make_notes: MakeNotes, dialect: str, gate: Gate
    ):
        notes = make_notes(gate, **{"db.pool_size": "2", "db.waiting_max": "1"})
        found = lines(notes)
        with ThreadPoolExecutor(1) as threads, staying(notes, gate, "post"):
            threads.submit(notes.client.post, "/notes?id=2")
            until_waiting(found.writers, 1)
            assert found.connections.enter(0)
            assert "1 requests wait" in notes.client.get("/notes", status=500).text
            found.connections.leave()

        assert notes.texts() == ["1", "2"]

    @pytest.mark.parametrize("ending", ["returns", "raises", "refused by the database", "fails at commit"])
    def test_every_ending_gives_its_place_back(self, make_notes: MakeNotes, ending: str):
        def view(request: Request) -> Response:
            insert = sa.text("INSERT INTO notes (id, text, parent_id) VALUES (1, 'mine', :parent)")
            request.dbsession.execute(insert, {"parent": 99 if ending == "fails at commit" else None})
            if ending == "raises":
                raise RuntimeError
            if ending == "refused by the database":
                request.dbsession.execute(sa.text("INSERT INTO notes (id, text) VALUES (1, 'again')"))
            return Response()

        notes = make_notes(view, **{"db.pool_size": "1"})
        for _ in range(3):
            notes.client.post("/notes", status="*")

        found = lines(notes)
        assert [line.taken for line in (found.connections, found.writers) if line is not None] == [
            0 for line in (found.connections, found.writers) if line is not None
        ]
        assert notes.checked_out() == 0

    def test_a_session_that_nobody_closed_gives_its_place_back(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture
    ):
        notes = make_notes(ok, **{"db.pool_size": "1", "db.waiting_max": "0"})
        for number in range(2):
            forgotten = notes.sessions(owner=f"forgetful {number}")
            forgotten.begin()
            forgotten.execute(sa.text("INSERT INTO notes (id, text) VALUES (1, 'undone')"))
            del forgotten
            gc.collect()

        assert "The session of forgetful 1 was dropped and never closed" in caplog.text
        assert notes.checked_out() == 0
        notes.client.post("/notes", status=200)
        assert notes.texts() == []

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_a_writer_of_sqlite_who_gets_no_connection_lets_the_next_one_write(
        self, make_notes: MakeNotes, dialect: str
    ):
        notes = make_notes(ok, **{"db.pool_size": "1", "db.waiting_max": "0"})
        found = lines(notes)
        assert found.connections.enter(0)
        assert "Overloaded" in notes.client.post("/notes", status=500).text
        found.connections.leave()

        assert found.writers is not None
        assert found.writers.taken == 0
        notes.client.post("/notes", status=200)


class TestPromise14NestedUnitsOfWork:
    """A unit of work inside another of the same thread: it may run, and never waits for itself."""

    def test_is_refused_at_once_where_those_around_it_hold_every_connection(self, make_notes: MakeNotes):
        def nest(depth: int) -> None:
            with scope.session_scope(notes.sessions, readonly=True) as inside:
                inside.execute(sa.text("SELECT 1"))
                if depth > 1:
                    nest(depth - 1)

        def view(request: Request) -> Response:
            nest(3)
            request.dbsession.execute(sa.text("SELECT 1"))
            for _ in range(2):
                nest(2)
                with pytest.raises(errors.SessionNested):
                    nest(3)
            return Response()

        notes = make_notes(view, **{"db.pool_size": "3", "db.pool_timeout_seconds": "0.5"})

        notes.client.get("/notes", status=200)
        notes.client.get("/notes", status=200)

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_is_refused_at_once_where_both_write_on_sqlite(self, make_notes: MakeNotes, dialect: str):
        def view(request: Request) -> Response:
            ok(request)
            with scope.session_scope(notes.sessions, readonly=True) as reading:
                reading.execute(sa.text("SELECT 1"))
            with scope.session_scope(notes.sessions) as writing:
                writing.execute(sa.text("SELECT 1"))
            return Response()

        notes = make_notes(view, **{"db.busy_timeout_seconds": "0.5"})

        assert "SessionNested: A unit of work was begun inside" in notes.client.post("/notes", status=500).text
        assert (lines(notes).connections.taken, notes.checked_out()) == (0, 0)

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_may_run_where_there_are_connections(self, make_notes: MakeNotes, dialect: str):
        def view(request: Request) -> Response:
            ok(request)
            with scope.session_scope(notes.sessions) as inside:
                inside.execute(sa.text("INSERT INTO notes (id, text) VALUES (1, 'inside')"))
            return Response(status=409)

        notes = make_notes(view, **{"db.pool_size": "2"})
        notes.client.post("/notes", status=409)

        assert notes.texts() == ["inside"]

    def test_is_none_on_another_thread(self, make_notes: MakeNotes, gate: Gate):
        notes = make_notes(gate, **{"db.pool_size": "1", "db.pool_timeout_seconds": "0.1"})
        with staying(notes, gate):
            assert "Overloaded" in notes.client.get("/notes", status=500).text


def ok(request: Request) -> Response:
    request.dbsession.execute(sa.text("SELECT 1"))
    return Response()


class TestLine:
    def test_a_place_given_in_the_last_moment_is_not_lost(self):
        line = Line(1, seats=Seats(100), seconds_max=1)
        gave_up: list[int] = []

        def come_and_go() -> None:
            for number in range(200):
                if line.enter(0.0002):
                    # As long as the others wait, so that giving up and being called often meet.
                    time.sleep(0.0002)
                    line.leave()
                else:
                    gave_up.append(number)

        with ThreadPoolExecutor(8) as threads:
            for each in [threads.submit(come_and_go) for _ in range(8)]:
                each.result(WAIT_SECONDS)

        assert gave_up
        assert (line.taken, line.waiting) == (0, 0)
        assert line.enter(0)

    def test_who_waited_gives_the_seat_back(self):
        line = Line(1, seats=Seats(1), seconds_max=1)
        assert line.enter(0)

        for _ in range(3):
            assert not line.enter(0.001)

    def test_who_is_interrupted_while_waiting_leaves_the_line(self):
        line = Line(1, seats=Seats(1), seconds_max=WAIT_SECONDS)
        assert line.enter(0)
        interrupted = threading.Timer(0.1, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
        # Whoever runs tests in the background may have it ignored.
        heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            interrupted.start()
            with pytest.raises(KeyboardInterrupt):
                line.enter(WAIT_SECONDS)
            interrupted.join()
        finally:
            signal.signal(signal.SIGINT, heeded)
        assert line.waiting == 0
        line.leave()

        assert line.enter(0)
        assert not line.enter(0)
