"""SESSION promise 18: what each request did with its database is told."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
import webtest
from prometheus_client.parser import text_string_to_metric_families
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors, scope, streaming
from myapp.db.databases import postgresql
from myapp.db.limits import admission
from myapp.db.session import UnitOfWorkSession
from myapp.db.telemetry import report
from myapp.db.telemetry.counting import count_statements
from tests.integration.db.conftest import MakeNotes, Note, NotesApp

SLOW_SECONDS = 0.2

Line = dict[str, str]
Lines = Callable[[], list[Line]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Line]]:
    """Return a function to the lines of the requests so far, as a program reads them."""
    caplog.set_level(logging.INFO, "myapp.requests")

    def read() -> list[Line]:
        told = [record for record in caplog.records if record.name == "myapp.requests"]
        return [dict(field.split("=", 1) for field in each.getMessage().split()) for each in told]

    return read


def timings(answer: webtest.TestResponse) -> dict[str, float]:
    """Return the milliseconds by name."""
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["Server-Timing"])}


def samples(notes: NotesApp) -> dict[tuple[str, ...], float]:
    """Return each value of the metrics, by its name and the values of its labels."""
    body, _media_type = notes.client.app.registry["db.metrics"].exposition("")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def line_before(notes: NotesApp) -> admission.Line:
    """Return where the application's requests wait for a connection."""
    found = admission.of(notes.engine)
    assert found is not None
    return found.connections


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def write_three(request: Request) -> Response:
    request.dbsession.execute(sa.insert(Note), [{"id": number, "text": "new"} for number in range(3)])
    request.dbsession.execute(sa.update(Note).values(text="changed"))
    return Response(str(len(request.dbsession.scalars(sa.select(Note)).all())))


def select_one(request: Request) -> Response:
    return Response(str(request.dbsession.scalar(sa.text("SELECT 1"))))


class Slow:
    """A view that takes its time in one phase."""

    def __init__(self, phase: str) -> None:
        self.phase = phase

    def __call__(self, request: Request) -> Response:
        session = request.dbsession
        connection = session.connection()
        if self.phase == "app":
            time.sleep(SLOW_SECONDS)
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.create_function("pg_sleep", 1, time.sleep)
        session.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": SLOW_SECONDS if self.phase == "db" else 0})
        return Response()

    def prepare(self, notes: NotesApp) -> None:
        def sleep(*_event: object) -> None:
            time.sleep(SLOW_SECONDS)

        if self.phase == "pool":
            sa.event.listen(notes.engine, "checkout", sleep)
        if self.phase == "commit":
            sa.event.listen(notes.engine, "commit", sleep)


class TestPromise18Report:
    def test_counts_statements_and_rows(self, make_notes: MakeNotes, lines: Lines, dialect: str):
        notes = make_notes(write_three)

        notes.client.post("/notes")

        (line,) = lines()
        # SQLite's driver does not tell how many rows it will return.
        assert (line["statements"], line["rows"]) == ("3", "9" if dialect == "postgresql" else "6")
        assert (line["method"], line["route"], line["path"], line["status"]) == ("POST", "notes", "/notes", "200")

    @pytest.mark.parametrize("phase", ["pool", "db", "commit", "app"])
    def test_tells_where_the_time_went(self, make_notes: MakeNotes, lines: Lines, phase: str):
        slow = Slow(phase)
        notes = make_notes(slow)
        # Connecting is done with by the time that it counts.
        notes.client.get("/notes")
        slow.prepare(notes)

        told = timings(notes.client.get("/notes"))

        _, line = lines()
        assert told[phase] >= SLOW_SECONDS * 1000
        assert sum(told.values()) == pytest.approx(float(line["ms"]), abs=SLOW_SECONDS * 1000 / 2)
        logged = {name: float(line[f"{name}_ms"]) for name in ("pool", "db", "commit")}
        assert logged == {name: ms for name, ms in told.items() if name != "app"}

    def test_waiting_in_line_is_waiting_for_the_pool(self, make_notes: MakeNotes):
        notes = make_notes(select_one, **{"db.pool_size": "1"})
        line = line_before(notes)
        assert line.enter(0)

        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(notes.client.get, "/notes")
            until(lambda: line.waiting == 1)
            time.sleep(SLOW_SECONDS)
            line.leave()

        assert timings(answer.result())["pool"] >= SLOW_SECONDS * 1000

    def test_tells_of_this_request_alone_in_a_response_that_is_used_again(self, make_notes: MakeNotes):
        response = Response()
        notes = make_notes(lambda _request: response)
        notes.client.get("/notes")

        assert len(notes.client.get("/notes").headers.getall("Server-Timing")) == 1

    def test_tells_of_the_last_attempt_alone(self, make_notes: MakeNotes, lines: Lines):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(len(attempts))
            request.dbsession.execute(sa.text("SELECT 1"))
            if len(attempts) == 1:
                request.dbsession.execute(sa.text("SELECT 2"))
                raise errors.Conflict("once")
            return Response()

        notes = make_notes(view)

        answer = notes.client.get("/notes")

        (line,) = lines()
        assert (line["statements"], line["attempts"]) == ("1", "2")
        assert answer.headers["Server-Timing"].endswith('attempts;desc="2"')
        told = timings(answer)
        assert told["total"] >= sum(ms for name, ms in told.items() if name != "total")
        assert samples(notes)["db_statements_total", "notes"] == 1
        assert samples(notes)["db_rollbacks_total", "conflict"] == 1
        assert samples(notes)["db_retries_total", "conflict"] == 1

    def test_a_request_without_the_database_is_told_of_as_well(self, make_notes: MakeNotes, lines: Lines):
        notes = make_notes(lambda _request: Response())

        told = timings(notes.client.get("/notes"))

        assert told.keys() == {"pool", "db", "commit", "app"}
        assert (told["pool"], told["db"], told["commit"]) == (0, 0, 0)
        assert lines()[0]["statements"] == "0"

    @pytest.mark.parametrize("catch_all", [True, False], ids=["exception-view", "no-exception-view"])
    def test_a_request_that_failed_is_told_of_as_well(self, make_notes: MakeNotes, lines: Lines, catch_all: bool):
        def view(request: Request) -> Response:
            request.dbsession.execute(sa.text("SELECT 1"))
            request.dbsession.execute(sa.text("SELECT nonsense"))
            return Response()

        notes = make_notes(view, catch_all=catch_all)

        if catch_all:
            notes.client.get("/notes", status=500)
        else:
            with pytest.raises(sa.exc.DBAPIError):
                notes.client.get("/notes")

        (line,) = lines()
        assert (line["status"], line["statements"]) == ("500", "2")
        assert samples(notes)["http_requests_total", "GET", "notes", "500"] == 1
        assert samples(notes)["db_rollbacks_total", "fault"] == 1

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_does_not_count_what_the_layer_sends_itself(
        self, make_notes: MakeNotes, lines: Lines, monkeypatch: pytest.MonkeyPatch, dialect: str
    ):
        bounds = []

        def view(request: Request) -> Response:
            for _ in range(2):
                bounds.append(request.dbsession.scalar(sa.text("SHOW statement_timeout")))
                time.sleep(0.01)
            return Response()

        monkeypatch.setattr(postgresql, "ANNOUNCE_AGAIN_SECONDS", 0)
        make_notes(view).client.get("/notes")

        # What remains of the deadline was told again.
        assert len(set(bounds)) == 2
        assert lines()[0]["statements"] == "2"

    def test_goes_on_after_an_error_that_was_caught(self, make_notes: MakeNotes, lines: Lines):
        def view(request: Request) -> Response:
            with pytest.raises(sa.exc.DBAPIError), request.dbsession.begin_nested():
                request.dbsession.execute(sa.text("SELECT nonsense"))
            return select_one(request)

        notes = make_notes(view)

        notes.client.get("/notes")

        # SAVEPOINT, the one that fails, ROLLBACK TO SAVEPOINT, the one that does not.
        assert lines()[0]["statements"] == "4"

    def test_listens_to_none_of_pyramids_events(self, make_notes: MakeNotes):
        notes = make_notes(select_one)

        # With one subscriber, to whatever, Pyramid makes four events of each request.
        assert not notes.client.app.registry.has_listeners

    def test_a_session_outside_of_requests_has_one_too(self, make_notes: MakeNotes):
        notes = make_notes(select_one)

        with scope.session_scope(notes.sessions) as session:
            session.execute(sa.text("SELECT 1"))

        assert session.unit.report.statements == 1
        assert session.unit.report.committed


class TestRequestId:
    def test_is_told_where_the_application_gives_one(self, make_notes: MakeNotes, lines: Lines):
        def name(config: Configurator) -> None:
            config.add_request_method(lambda _request: "a=1 b\nstatus=200", "request_id", property=True)

        notes = make_notes(select_one, configure=name)

        notes.client.get("/notes")

        assert lines()[0]["request_id"] == "a=1%20b%0Astatus=200"


class TestRepeatedStatements:
    def view(self, request: Request) -> Response:
        for number in range(5):
            request.dbsession.execute(sa.text("SELECT text\nFROM notes WHERE id = :id"), {"id": number})
        return select_one(request)

    def test_are_named(self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture):
        notes = make_notes(self.view, **{"db.repeated_statement_warning": "5"})

        notes.client.get("/notes")

        (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert re.fullmatch(r'repeated=5 statement="SELECT text FROM notes WHERE id = .*" route=notes .*', warning)
        assert samples(notes)["db_repeated_statements_total", "notes"] == 1

    @pytest.mark.parametrize("settings", [{}, {"db.repeated_statement_warning": "6"}], ids=["unset", "fewer"])
    def test_are_not_named_without_need(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture, settings: dict[str, str]
    ):
        notes = make_notes(self.view, **settings)

        notes.client.get("/notes")

        assert not [record for record in caplog.records if record.levelno == logging.WARNING]

    def test_are_told_apart_up_to_a_bound(self):
        counted = report.Report()

        for number in range(report.TEXTS_MAX + 5):
            counted.note(f"SELECT {number}")
        counted.note("SELECT 0")

        assert counted.statements == report.TEXTS_MAX + 6
        assert len(counted.repeated(1)) == report.TEXTS_MAX
        assert counted.repeated(2) == {"SELECT 0": 2}


class TestCountStatements:
    def test_counts_what_requests_execute(self, make_notes: MakeNotes):
        notes = make_notes(write_three)
        notes.client.post("/notes")

        with count_statements(notes.engine) as statements:
            notes.client.get("/notes", status="*")
        notes.client.get("/notes", status="*")

        statements.require(1)

    def test_lists_them_when_there_are_too_many(self, make_notes: MakeNotes):
        notes = make_notes(select_one)

        with count_statements(notes.engine) as statements:
            notes.client.get("/notes")

        with pytest.raises(AssertionError, match=r"1 statements were executed, not 0:\n  1\. SELECT 1"):
            statements.require(0)


class TestMetrics:
    def test_are_labelled_by_the_name_of_the_route(self, make_notes: MakeNotes):
        notes = make_notes(select_one)
        client = webtest.TestApp(notes.client.app, lint=False)

        client.get("/notes?id=7")
        client.get("/nowhere/7", status=404)
        client.request("/nowhere", method="BREW", status=404)

        counted = samples(notes)
        requests = {each[1:]: times for each, times in counted.items() if each[0] == "http_requests_total"}
        assert requests == {("GET", "notes", "200"): 1, ("GET", "none", "404"): 1, ("other", "none", "404"): 1}
        assert counted["http_request_duration_seconds_count", "none"] == 2
        assert counted["http_request_duration_seconds_bucket", "+Inf", "notes"] == 1
        assert counted["http_request_duration_seconds_sum", "notes"] > 0
        assert counted["db_statements_total", "notes"] == 1
        assert counted["db_statement_seconds_total", "notes"] > 0

    def test_show_the_pool_as_it_is(self, make_notes: MakeNotes):
        seen: list[dict[tuple[str, ...], float]] = []

        def view(request: Request) -> Response:
            seen.append(samples(notes))
            answer = select_one(request)
            seen.append(samples(notes))
            return answer

        notes = make_notes(view, **{"db.pool_size": "3"})
        notes.client.get("/notes")
        seen.append(samples(notes))

        assert [each["db_pool_in_use", "primary"] for each in seen] == [0, 1, 0]
        assert {each["db_pool_size", "primary"] for each in seen} == {3}
        assert {each["db_pool_waiting", "primary"] for each in seen} == {0}

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_show_the_pool_of_each_replica(self, make_notes: MakeNotes, notes_url: str, dialect: str):
        replicas = {"sqlalchemy.replica_urls": f"{notes_url} {notes_url}", "db.token_secret": "s" * 32}
        notes = make_notes(select_one, **replicas)

        pools = {labels[0] for name, *labels in samples(notes) if name == "db_pool_size"}
        assert pools == {"primary", "replica-1", "replica-2"}

    def test_count_the_requests_that_were_turned_away(self, make_notes: MakeNotes):
        notes = make_notes(select_one, **{"db.pool_size": "1", "db.waiting_max": "0"})
        line = line_before(notes)
        assert line.enter(0)

        notes.client.get("/notes", status=500)
        line.leave()

        assert samples(notes)["db_refusals_total", "overloaded"] == 1
        assert ("db_rollbacks_total", "overloaded") not in samples(notes)

    def test_count_what_an_answer_took_back(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            with request.dbsession.begin_nested():
                select_one(request)
            return Response(status=409)

        notes = make_notes(view)

        notes.client.post("/notes", status=409)

        assert samples(notes)["db_rollbacks_total", "answer"] == 1

    def test_count_no_commit_as_a_rollback(self, make_notes: MakeNotes):
        notes = make_notes(write_three)

        notes.client.post("/notes")
        notes.client.get("/notes", status="*")

        assert [name for name in samples(notes) if name[0] == "db_rollbacks_total"] == [("db_rollbacks_total", "fault")]
        assert samples(notes)["db_rollbacks_total", "fault"] == 1

    def test_count_no_stream_as_a_rollback(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            def rows(session: UnitOfWorkSession) -> Iterator[bytes]:
                session.execute(sa.text("SELECT 1"))
                yield from [b"x" * streaming.CHUNK_BYTES] * 3

            return Response(app_iter=request.dbstream(rows))

        notes = make_notes(view)

        assert len(notes.client.get("/notes").body) == 3 * streaming.CHUNK_BYTES
        assert not [name for name in samples(notes) if name[0] == "db_rollbacks_total"]
