"""SESSION promise 19: a request's trace can be followed into the database, and back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer
from pyramid.request import Request
from pyramid.response import Response

from myapp.db.telemetry import trace
from tests.integration.db.conftest import MakeNotes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

NAME = sa.text("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
PREPARED = sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement = :text")

WITHOUT_OPENTELEMETRY = """
import sys
sys.modules["opentelemetry"] = None
import webtest
from pyramid.config import Configurator
from pyramid.response import Response
from myapp.db.telemetry import trace
config = Configurator(settings={"sqlalchemy.url": sys.argv[1]})
config.include("myapp.db")
config.add_route("notes", "/notes")
config.add_view(lambda request: Response(trace.trace_id(request.environ)), route_name="notes")
client = webtest.TestApp(config.make_wsgi_app())
print(client.get("/notes", headers={"traceparent": sys.argv[2]}).text)
"""

on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


def sent(trace_id: str = TRACE) -> dict[str, str]:
    """Return the header of a client that traces."""
    return {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}


def name(request: Request) -> Response:
    """Answer with what PostgreSQL calls the connection meanwhile."""
    return Response(request.dbsession.scalar(NAME), status=int(request.params.get("status", 200)))


def select_two(request: Request) -> Response:
    """Answer with whether this statement was prepared before."""
    request.dbsession.execute(sa.text("SELECT 2"))
    return Response(str(request.dbsession.scalar(PREPARED, {"text": "SELECT 2"})))


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("tests")
    provider.shutdown()


@on_postgresql
class TestPromise19Trace:
    def test_is_seen_in_the_database_while_the_request_works(self, make_notes: MakeNotes, dialect: str):
        notes = make_notes(name)

        assert notes.client.get("/notes", headers=sent()).text == f"myapp {TRACE}"
        assert notes.client.post("/notes", headers=sent("ab" * 16)).text == f"myapp {'ab' * 16}"

    @pytest.mark.parametrize("status", [200, 409])
    def test_is_gone_with_the_unit_of_work(self, make_notes: MakeNotes, dialect: str, status: int):
        notes = make_notes(name, **{"db.pool_size": "1"})
        notes.client.post(f"/notes?status={status}", headers=sent(), status=status)

        assert notes.client.get("/notes").text == "myapp"
        with notes.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            assert connection.scalar(NAME) == "myapp"

    def test_leaves_prepared_statements_prepared(self, make_notes: MakeNotes, dialect: str):
        notes = make_notes(select_two, **{"db.pool_size": "1"})

        prepared = [notes.client.get("/notes", headers=sent(f"{number:032x}")).text for number in range(1, 20)]

        assert prepared[-1] == "1"
        assert prepared == sorted(prepared)

    def test_is_no_part_of_any_statement(self, make_notes: MakeNotes, dialect: str, statements: list[str]):
        notes = make_notes(select_two)
        notes.client.get("/notes", headers=sent())

        assert [TRACE in text for text in statements] == [False, False]

    def test_costs_nothing_without_one(self, make_notes: MakeNotes, dialect: str, statements: list[str]):
        notes = make_notes(select_two)
        notes.client.get("/notes")

        assert not [text for text in statements if "application_name" in text]

    @pytest.mark.parametrize(
        "header",
        [
            f"00-{'0' * 32}-00f067aa0ba902b7-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"ff-{TRACE}-00f067aa0ba902b7-01",
            f"00-{TRACE[:-2]}'--00f067aa0ba902b7-01",
            f"00-{TRACE}-00f067aa0ba902b7-01; DROP TABLE notes",
            TRACE,
        ],
    )
    def test_is_taken_from_a_valid_header_only(self, make_notes: MakeNotes, dialect: str, header: str):
        notes = make_notes(name)

        assert notes.client.get("/notes", headers={"traceparent": header}).text == "myapp"

    @pytest.mark.parametrize("application", ["o'hara \\' --", "100% ledger %s", "a" * 80])
    def test_stands_whole_behind_any_name(self, make_notes: MakeNotes, dialect: str, application: str):
        notes = make_notes(name, **{"db.application_name": application})

        assert notes.client.get("/notes", headers=sent()).text == f"{application[:30]} {TRACE}"


class TestName:
    @pytest.mark.parametrize("application", ["a" + "ü" * 40, "ab" + "日" * 20])
    def test_is_cut_between_letters(self, application: str):
        cut = trace.application_name(application, TRACE)

        assert cut.endswith(f" {TRACE}")
        assert len(cut.encode()) <= trace.NAME_BYTES_MAX
        assert application.startswith(cut.split()[0])


class TestOpenTelemetry:
    def view(self, request: Request) -> Response:
        request.dbsession.execute(sa.text("SELECT 1"))
        return Response(trace.trace_id(request.environ))

    def test_gives_the_trace_of_its_current_span(self, make_notes: MakeNotes, tracer: Tracer):
        notes = make_notes(self.view)

        with tracer.start_as_current_span("request") as span:
            answer = notes.client.get("/notes", headers=sent())

        assert answer.text == f"{span.get_span_context().trace_id:032x}"

    def test_gets_the_figures_of_the_request(
        self, make_notes: MakeNotes, tracer: Tracer, spans: InMemorySpanExporter, dialect: str
    ):
        notes = make_notes(self.view)

        with tracer.start_as_current_span("request"):
            notes.client.get("/notes")

        (span,) = spans.get_finished_spans()
        figures = dict(span.attributes)
        assert figures.pop("myapp.db.pool_seconds") > 0
        assert figures.pop("myapp.db.statement_seconds") > 0
        assert figures.pop("myapp.db.commit_seconds") > 0
        assert figures == {
            "db.system.name": dialect,
            "db.response.returned_rows": int(dialect == "postgresql"),
            "myapp.db.statements": 1,
            "myapp.db.attempts": 1,
        }

    # It takes a process of its own, and has nothing to do with the database.
    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_is_not_needed(self, notes_url: str, dialect: str):
        command = [sys.executable, "-c", WITHOUT_OPENTELEMETRY, notes_url, sent()["traceparent"]]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

        assert (run.stdout.strip(), run.returncode) == (TRACE, 0), run.stderr
