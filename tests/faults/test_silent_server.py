"""SESSION promise 13 to the end: a database that falls silent is given up at the deadline, in whatever it was doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import engine, errors
from myapp.db.databases.postgresql_connection import BoundedConnection
from myapp.db.limits import admission
from tests.own_postgresql import OwnPostgresql

DEADLINE_SECONDS = 0.5
# The deadline, what the server is granted beyond it, and a slow machine.
FAR_LATER = 6.0
# The driver by itself waits for a new connection as long as this, and no less.
DRIVER_SECONDS_MIN = 2.0

COMMITTED = "SELECT count(*) FROM silence"


def say_what_it_means(exc: Exception, _request: Request) -> Response:
    meant = errors.translate(exc)
    return Response(repr(exc) if meant is None else meant.code, status=503)


@pytest.fixture
def client(own_postgresql: OwnPostgresql) -> Iterator[webtest.TestApp]:
    with sa.create_engine(own_postgresql.url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS silence; CREATE TABLE silence (phase text)")

    def view(request: Request) -> Response:
        phase = request.params["freeze"]
        if phase == "before":
            own_postgresql.freeze()
        request.dbsession.execute(sa.text("INSERT INTO silence VALUES (:phase)"), {"phase": phase})
        if phase == "statement":
            own_postgresql.freeze()
            request.dbsession.execute(sa.text("SELECT 1"))
        if phase == "commit":
            own_postgresql.freeze()
        return Response("done")

    settings = {"sqlalchemy.url": own_postgresql.url, "db.deadline_seconds": str(DEADLINE_SECONDS)}
    config = Configurator(settings=settings)
    config.include("myapp.db")
    config.add_route("silence", "/silence")
    config.add_view(view, route_name="silence")
    config.add_exception_view(say_what_it_means, context=Exception)
    client = webtest.TestApp(config.make_wsgi_app())
    yield client
    own_postgresql.thaw()
    client.app.registry["db.engine"].dispose()


@contextmanager
def thawed_in_the_end(server: OwnPostgresql) -> Iterator[None]:
    """See to it that a test ends, whatever else breaks."""
    rescue = threading.Timer(FAR_LATER, server.thaw)
    rescue.start()
    try:
        yield
    finally:
        rescue.cancel()


@pytest.mark.commits
@pytest.mark.parametrize(
    ("phase", "code"),
    [("before", "deadline-exceeded"), ("statement", "deadline-exceeded"), ("commit", "outcome-unknown")],
)
def test_a_silent_server_is_given_up_at_the_deadline(
    client: webtest.TestApp, own_postgresql: OwnPostgresql, phase: str, code: str
) -> None:
    engine = client.app.registry["db.engine"]
    client.post("/silence", {"freeze": "never"}, status=200)
    with thawed_in_the_end(own_postgresql):
        began = time.monotonic()
        answer = client.post("/silence", {"freeze": phase}, status=503)

    assert time.monotonic() - began < FAR_LATER
    assert answer.text == code
    assert engine.pool.checkedout() == 0
    assert admission.of(engine).connections.taken == 0
    own_postgresql.thaw()
    client.post("/silence", {"freeze": "never"}, status=200)


def test_a_connection_at_rest_whose_server_fell_silent_is_given_up(
    client: webtest.TestApp, own_postgresql: OwnPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/silence", {"freeze": "never"}, status=200)
    monkeypatch.setattr(engine, "IDLE_SECONDS_BEFORE_PING", 0)
    with thawed_in_the_end(own_postgresql):
        began = time.monotonic()
        client.post("/silence", {"freeze": "before"}, status=503)

    assert time.monotonic() - began < FAR_LATER


@pytest.mark.parametrize("moment", ["before it answers", "before it says what it is"])
def test_a_new_connection_is_given_up_at_the_deadline(
    client: webtest.TestApp, own_postgresql: OwnPostgresql, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    connect = BoundedConnection.connect

    def freezing(*arguments: Any, **options: Any) -> Any:
        if moment == "before it answers":
            own_postgresql.freeze()
        made = connect(*arguments, **options)
        own_postgresql.freeze()
        return made

    monkeypatch.setattr(BoundedConnection, "connect", freezing)
    with thawed_in_the_end(own_postgresql):
        began = time.monotonic()
        answer = client.post("/silence", {"freeze": "never"}, status=503)
        took = time.monotonic() - began
    monkeypatch.undo()
    own_postgresql.thaw()

    assert answer.text == "deadline-exceeded"
    assert took < DRIVER_SECONDS_MIN
    assert client.app.registry["db.engine"].pool.checkedout() == 0
    client.post("/silence", {"freeze": "never"}, status=200)
