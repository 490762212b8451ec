"""SESSION promise 21: a response that streams rows has a session of its own, as long as its body is sent.

A real server on a real socket, since what counts is when a body is made, and what a client sees of one that fails.
"""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp import server, settings
from myapp.db import errors, sandbox, scope, streaming
from myapp.db.limits import admission
from myapp.db.session import UnitOfWorkSession
from tests.integration.db.conftest import MakeNotes, Note, NotesApp, ServerError

HOST = "127.0.0.1"
WAIT_SECONDS = 10
LINE_BYTES = 60
# Far more than what lies in buffers between the view and a client that does not read.
MANY = 150_000

SERIES = {
    "postgresql": "SELECT generate_series(1, :count) AS i",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n",
}


def lines(session: UnitOfWorkSession, count: int) -> Iterator[bytes]:
    series = sa.text(SERIES[session.get_bind().dialect.name])
    for (number,) in session.execute(series, {"count": count}):
        yield b"%0*d\n" % (LINE_BYTES - 1, number)


def lines_ahead(session: UnitOfWorkSession, count: int) -> Iterator[bytes]:
    # Several times what the network holds.
    series = sa.text(f"SELECT s.i, :pad FROM ({SERIES[session.get_bind().dialect.name]}) AS s")
    found = session.connection().execute(series, {"count": count, "pad": "x" * 100}, execution_options=scope.AHEAD)
    with found:
        for number, _pad in found:
            yield b"%0*d\n" % (LINE_BYTES - 1, number)


@pytest.fixture(params=["some at a time", "ahead"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the rows fetched as they are by default, or ahead."""
    if request.param == "ahead":
        monkeypatch.setattr(sys.modules[__name__], "lines", lines_ahead)


def stream(request: Request) -> Response:
    count = int(request.params.get("count", 3))
    return Response(app_iter=request.dbstream(lambda session: lines(session, count)), content_type="text/plain")


@dataclass
class Served:
    """The application on a real socket."""

    notes: NotesApp
    port: int

    @contextmanager
    def asked(self, count: int, *, headers: str = "") -> Iterator[http.client.HTTPResponse]:
        """Send a request, read the head of its answer, and go away at the end."""
        with socket.socket() as client, http.client.HTTPResponse(client, method="GET") as answer:
            # Little room, so that the server notices soon that nobody reads.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            client.settimeout(WAIT_SECONDS)
            client.connect((HOST, self.port))
            client.sendall(f"GET /notes?count={count} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
            answer.begin()
            yield answer


@pytest.fixture
def serve() -> Iterator[Callable[[NotesApp], Served]]:
    running: list[tuple[server.Server, threading.Thread]] = []

    def serve(notes: NotesApp, **wanted: int) -> Served:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        adjustments = {"listen": f"{HOST}:{port}", "threads": 2, "outbuf_high_watermark": 256 * 1024} | wanted
        made = server.Server(notes.client.app, settings.Server(), adjustments)
        running.append((made, threading.Thread(target=made.run, daemon=True)))
        running[-1][1].start()
        return Served(notes, port)

    yield serve
    for made, thread in running:
        made.end()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def holds_nothing(notes: NotesApp) -> bool:
    lines = admission.of(notes.engine)
    return notes.checked_out() == 0 and lines.connections.taken == 0


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


NUMBERS = "SELECT i AS id, 'a note' AS text, NULL::integer AS parent_id FROM generate_series(1, 3) i"


class TestPromise21Streaming:
    @pytest.mark.slow
    def test_takes_constant_memory_for_a_million_rows(self, make_notes: MakeNotes, serve):
        served = serve(make_notes(stream))
        process = psutil.Process()
        with served.asked(10_000) as answer:
            answer.read()
        before = most = process.memory_info().rss
        received, buffer = 0, bytearray(1024 * 1024)
        with served.asked(1_000_000) as answer:
            while size := answer.readinto(buffer):
                received += size
                most = max(most, process.memory_info().rss)

        assert received == 1_000_000 * LINE_BYTES
        assert most - before < 20_000_000
        assert soon(lambda: holds_nothing(served.notes))

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    @pytest.mark.parametrize(
        "query",
        [sa.text(NUMBERS), sa.select(Note).from_statement(sa.text(NUMBERS)), sa.select(Note.id), sa.select(Note)],
        ids=["text", "entities of text", "columns", "entities"],
    )
    def test_fetches_the_rows_of_any_query_by_a_cursor_on_the_server(
        self, make_notes: MakeNotes, dialect: str, query: sa.Executable
    ):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                found = session.execute(query)
                cursors = session.connection().exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar_one()
                yield f"{cursors} for {len(found.all())}".encode()

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)
        with scope.session_scope(notes.sessions) as session:
            session.add_all(Note(id=number, text="a note") for number in range(3))

        assert notes.client.get("/notes", status=200).text == "1 for 3"

    def test_keeps_its_session_until_the_body_is_sent(self, make_notes: MakeNotes, serve):
        sessions: list[UnitOfWorkSession] = []

        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                sessions.append(session)
                yield from lines(session, MANY)

            return Response(app_iter=request.dbstream(rows))

        served = serve(make_notes(view))
        with served.asked(MANY) as answer:
            assert not sessions[0].ended
            assert served.notes.checked_out() == 1
            assert len(answer.read()) == MANY * LINE_BYTES

        assert soon(lambda: holds_nothing(served.notes))
        with pytest.raises(errors.SessionEnded, match="the stream of GET /notes"):
            sessions[0].execute(sa.text("SELECT 1"))

    def test_gives_the_connection_back_before_the_last_chunk(self, make_notes: MakeNotes):
        notes = make_notes(stream)
        body = notes.client.app(Request.blank("/notes").environ, lambda *_: None)

        assert notes.checked_out() == 0
        assert len(b"".join(body)) == 3 * LINE_BYTES

    def test_cannot_write(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                session.add(Note(id=1, text="mine"))
                session.flush()
                yield b"written"

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)
        notes.client.get("/notes", status=500)

        assert notes.texts() == []
        assert holds_nothing(notes)

    def test_begins_when_the_requests_own_session_has_ended(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(sa.text("SELECT 1"))

            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                assert request.dbsession.ended
                yield from lines(session, 2)

            return Response(app_iter=request.dbstream(rows))

        # A request that held one connection while it waited for another would wait for itself.
        notes = make_notes(view, **{"db.pool_size": "1", "db.waiting_max": "0"})

        assert len(notes.client.get("/notes", status=200).body) == 2 * LINE_BYTES

    def test_reads_objects_piecemeal_and_loads_single_ones_in_between(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                for note in session.scalars(sa.select(Note).order_by(Note.id)):
                    assert session.get(Note, note.id) is note
                    session.refresh(note)
                    yield note.text.encode()

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)
        with scope.session_scope(notes.sessions) as session:
            session.add_all(Note(id=number, text=str(number)) for number in range(3))

        assert notes.client.get("/notes", status=200).text == "012"

    def test_of_nothing_is_an_empty_body(self, make_notes: MakeNotes, serve):
        served = serve(make_notes(lambda request: Response(app_iter=request.dbstream(lambda session: []))))
        with served.asked(0) as answer:
            assert (answer.status, answer.read()) == (200, b"")

    def test_a_head_request_makes_no_body(self, make_notes: MakeNotes, statements: list[str]):
        notes = make_notes(stream)
        notes.client.head("/notes", status=200)

        assert statements == []

    def test_is_refused_where_the_request_may_write(self, make_notes: MakeNotes):
        refused = make_notes(stream).client.post("/notes", status=500)
        assert "SessionMisuse" in refused.text

        reading = make_notes(stream, db={"readonly": True})
        assert len(reading.client.post("/notes", status=200).body) == 3 * LINE_BYTES

    def test_in_a_sandbox_sees_what_the_tests_requests_wrote(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            if request.method == "POST":
                request.dbsession.add(Note(id=1, text="mine"))
                return Response()

            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                yield from (text.encode() for text in session.scalars(sa.select(Note.text)))
                if "fail" in request.params:
                    raise ServerError

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)
        with sandbox.sandbox(notes.engine) as sessions:
            notes.client.app.registry["db.sessions"] = sessions
            notes.client.post("/notes", status=200)
            assert notes.client.get("/notes", status=200).text == "mine"
            notes.client.get("/notes?fail=1", status=500)
            assert notes.client.get("/notes", status=200).text == "mine"

        assert notes.texts() == []

    def test_leaves_no_thread_behind(self, make_notes: MakeNotes):
        notes = make_notes(stream)
        before = threading.active_count()
        for _ in range(3):
            notes.client.get(f"/notes?count={2 * streaming.CHUNK_BYTES // LINE_BYTES}", status=200)

        assert soon(lambda: threading.active_count() <= before)


class TestPromise21BeforeTheFirstByte:
    @pytest.mark.parametrize("failure", ["in the rows", "in the statement", "no place is free"])
    def test_a_failure_is_an_answer_like_any_other(self, make_notes: MakeNotes, failure: str):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                yield b"a chunk is sent only when it is full"
                session.execute(sa.text("SELECT 1" if failure == "in the rows" else "SELECT nonsense"))
                raise ServerError

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view, **{"db.pool_size": "1", "db.waiting_max": "0"})
        line = admission.of(notes.engine).connections
        if failure == "no place is free":
            assert line.enter(0)
            assert "Overloaded" in notes.client.get("/notes", status=500).text
            line.leave()
        else:
            assert "Error: " in notes.client.get("/notes", status=500).text

        assert holds_nothing(notes)

    def test_a_first_chunk_that_took_too_long_is_an_answer_too(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture
    ):
        def view(request: Request) -> Response:
            def rows(_session: UnitOfWorkSession) -> Iterator[bytes]:
                assert soon(lambda: "it is cut off" in caplog.text)
                yield b"late" * streaming.CHUNK_BYTES

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view, **{"db.deadline_seconds": "0.2"})

        assert "DeadlineExceeded" in notes.client.get("/notes", status=500).text
        assert holds_nothing(notes)

    def test_a_failure_without_an_exception_view_is_raised(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            return Response(app_iter=request.dbstream(lambda session: 1 // 0))

        notes = make_notes(view, catch_all=False)
        with pytest.raises(ZeroDivisionError):
            notes.client.get("/notes")

        assert holds_nothing(notes)

    def test_a_conflict_is_repeated(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                attempts.append(request.environ["retry.attempt"])
                yield from lines(session, 1)
                if len(attempts) == 1:
                    raise errors.Conflict("somebody was faster")

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)

        assert len(notes.client.get("/notes", status=200).body) == LINE_BYTES
        assert attempts == [0, 1]
        assert holds_nothing(notes)


class TestPromise21ThrownAway:
    @pytest.mark.parametrize("by", ["the view", "a tween inside", "a tween outside"])
    def test_leaves_nothing_open(self, make_notes: MakeNotes, by: str, statements: list[str]):
        def view(request: Request) -> Response:
            made = stream(request)
            if by == "the view":
                raise ServerError
            return made

        def configure(config: Configurator) -> None:
            if by == "a tween inside":
                config.add_tween(f"{__name__}.replacing_tween", over="MAIN", under="pyramid_tm.tm_tween_factory")
            elif by == "a tween outside":
                config.add_tween(f"{__name__}.replacing_tween")

        notes = make_notes(view, configure=configure)
        answer = notes.client.get(f"/notes?count={MANY}", status="*")

        assert answer.status_int == (500 if by == "the view" else 202)
        # Thrown away in time, it was not even begun.
        assert bool(statements) == (by == "a tween outside")
        assert holds_nothing(notes)


def replacing_tween(handler: Callable[[Request], Response], _registry: object) -> Callable[[Request], Response]:
    def replacing(request: Request) -> Response:
        handler(request)
        return Response(status=202)

    return replacing


class TestPromise21OnTheWay:
    @pytest.mark.usefixtures("either_way")
    def test_a_failure_cuts_the_connection(self, make_notes: MakeNotes, serve):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                yield from lines(session, MANY)
                raise ServerError

            return Response(app_iter=request.dbstream(rows))

        served = serve(make_notes(view))
        with served.asked(MANY) as answer:
            assert answer.status == 200
            with pytest.raises(http.client.IncompleteRead):
                answer.read()

        assert soon(lambda: holds_nothing(served.notes))

    @pytest.mark.usefixtures("either_way")
    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_a_lost_database_cuts_the_connection(self, make_notes: MakeNotes, dialect: str, serve):
        served = serve(make_notes(stream))
        end_all = sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND (query LIKE 'FETCH%' OR query LIKE 'SELECT s.i%')"
        )
        with served.asked(MANY) as answer:
            with scope.session_scope(served.notes.sessions) as session:
                assert session.scalars(end_all).all() == [True]
            with pytest.raises(http.client.IncompleteRead):
                answer.read()

        assert soon(lambda: holds_nothing(served.notes))

    @pytest.mark.usefixtures("either_way")
    def test_a_client_that_goes_away_ends_it(self, make_notes: MakeNotes, serve):
        served = serve(make_notes(stream))
        with served.asked(MANY) as answer:
            answer.read(1000)
            assert served.notes.checked_out() == 1

        assert soon(lambda: holds_nothing(served.notes))

    @pytest.mark.usefixtures("either_way")
    def test_a_slow_client_gets_all_of_it_within_the_time(self, make_notes: MakeNotes, serve):
        served = serve(make_notes(stream, **{"db.deadline_seconds": "30"}))
        with served.asked(MANY) as answer:
            received = len(answer.read(1000))
            # The database would end a transaction that idles for no reason.
            time.sleep(1.2)
            assert received + len(answer.read()) == MANY * LINE_BYTES

    @pytest.mark.usefixtures("either_way")
    @pytest.mark.parametrize("bound", ["the view", "the client"])
    def test_a_client_that_does_not_read_holds_no_connection_after_the_deadline(
        self, make_notes: MakeNotes, serve, bound: str, caplog: pytest.LogCaptureFixture
    ):
        notes = make_notes(stream, db={"timeout": 1} if bound == "the view" else None)
        served = serve(notes)
        with served.asked(MANY, headers="Request-Timeout: 1\r\n" if bound == "the client" else "") as answer:
            assert notes.checked_out() == 1
            assert soon(lambda: holds_nothing(notes))
            assert "/notes" in caplog.text
            # What was under way arrives, and is not taken for all of it.
            with pytest.raises(http.client.IncompleteRead):
                answer.read()

    # What the server does is the same on each database.
    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_a_client_that_does_not_read_holds_no_thread_after_the_servers_time(
        self, make_notes: MakeNotes, dialect: str, serve
    ):
        served = serve(make_notes(stream), threads=1, channel_timeout=1)
        with served.asked(MANY) as stalled, served.asked(3) as answer:
            assert len(answer.read()) == 3 * LINE_BYTES
            assert holds_nothing(served.notes)
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                stalled.read()


class TestStream:
    @pytest.mark.usefixtures("either_way")
    def test_gives_its_connection_back_when_it_is_closed_though_it_is_kept(self, make_notes: MakeNotes):
        notes = make_notes(stream)
        body = notes.client.app(Request.blank(f"/notes?count={MANY}").environ, lambda *_: None)
        assert not holds_nothing(notes)
        body.close()

        assert holds_nothing(notes)
        assert list(body) == []

    def test_that_is_closed_on_its_way_lets_its_rows_tidy_up_while_their_session_lives(self, make_notes: MakeNotes):
        tidied: list[object] = []

        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                try:
                    yield from lines(session, MANY)
                finally:
                    tidied.append(session.scalar(sa.text("SELECT 'tidy'")))

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)
        body = notes.client.app(Request.blank("/notes").environ, lambda *_: None)
        assert tidied == []
        body.close()

        assert tidied == ["tidy"]
        assert holds_nothing(notes)

    @pytest.mark.usefixtures("either_way")
    def test_may_be_closed_by_another_thread_meanwhile(self, make_notes: MakeNotes):
        notes = make_notes(stream)
        for _ in range(20):
            body = notes.client.app(Request.blank(f"/notes?count={MANY}").environ, lambda *_: None)
            with ThreadPoolExecutor(1) as threads:
                closing = threads.submit(body.close)
                for _chunk in body:
                    pass
                closing.result(WAIT_SECONDS)
            assert holds_nothing(notes)

    def test_sends_rows_together(self, make_notes: MakeNotes):
        notes = make_notes(stream)
        body = notes.client.app(Request.blank("/notes?count=10000").environ, lambda *_: None)
        sizes = [len(chunk) for chunk in body]

        assert sum(sizes) == 10_000 * LINE_BYTES
        assert all(streaming.CHUNK_BYTES <= size < streaming.CHUNK_BYTES + LINE_BYTES for size in sizes[:-1])
