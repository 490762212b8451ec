"""A connection lost before COMMIT is repeated quietly; one lost during COMMIT is never repeated and never a success."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors
from tests.faults.cutting_proxy import CuttingProxy, cutting_proxy

MakeClient = Callable[..., webtest.TestApp]

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


def say_what_it_means(exc: Exception, _request: Request) -> Response:
    meant = errors.translate(exc)
    return Response("not the database" if meant is None else meant.code, status=503)


def read_or_write(request: Request) -> Response:
    reading, writing = "SELECT count(*) FROM lines", "INSERT INTO lines VALUES ('written')"
    request.dbsession.execute(sa.text(reading if request.method == "GET" else writing))
    return Response(str(request.environ["retry.attempt"] + 1))


@pytest.fixture
def make_client() -> Iterator[Callable[..., webtest.TestApp]]:
    made: list[webtest.TestApp] = []

    def make(url: str, *, view: Callable[[Request], Response] = read_or_write, **settings: str) -> webtest.TestApp:
        config = Configurator(settings={"sqlalchemy.url": url, **settings})
        config.include("myapp.db")
        config.add_route("lines", "/lines")
        config.add_view(view, route_name="lines")
        config.add_exception_view(say_what_it_means, context=Exception)
        made.append(webtest.TestApp(config.make_wsgi_app()))
        return made[-1]

    yield make
    for client in made:
        client.app.registry["db.engine"].dispose()


@pytest.fixture
def url(dialect, empty_database_url) -> str:
    url = empty_database_url(dialect)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE lines (text text)")
    return url


@pytest.fixture
def proxy(url: str) -> Iterator[CuttingProxy]:
    with cutting_proxy(url) as proxy:
        yield proxy


def count(url: str) -> int:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM lines").scalar_one()


def end(url: str, process: int) -> None:
    """End a connection of the server's, and wait until it is over."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})


class TestLostConnection:
    def test_during_commit_is_an_unknown_outcome_and_is_not_repeated(
        self, url: str, proxy: CuttingProxy, make_client: MakeClient
    ):
        client = make_client(proxy.url)
        client.post("/lines", status=200)
        # With its end, since BEGIN names READ COMMITTED.
        proxy.cut_at = b"COMMIT\0"

        assert client.post("/lines", status=503).text == "outcome-unknown"
        assert proxy.cuts == 1
        # The server did commit, as it may or may not have; a repeat would have written twice.
        deadline = time.monotonic() + 5
        while count(url) != 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert count(url) == 2
        assert client.app.registry["db.engine"].pool.checkedout() == 0

    def test_during_the_commit_of_a_read_is_repeated(self, proxy: CuttingProxy, make_client: MakeClient):
        client = make_client(proxy.url)
        client.get("/lines", status=200)
        proxy.cut_at = b"COMMIT\0"

        assert client.get("/lines", status=503).text == "unavailable"
        assert proxy.cuts == 3

    def test_while_fetching_is_repeated(self, url: str, make_client: MakeClient):
        def write_and_read(request: Request) -> Response:
            request.dbsession.execute(sa.text("INSERT INTO lines VALUES ('written')"))
            series = sa.text("SELECT generate_series(1, 1000), pg_backend_pid() AS process")
            rows = request.dbsession.execute(series, execution_options={"yield_per": 10})
            process = next(rows).process
            if "lose" in request.params and request.environ["retry.attempt"] == 0:
                end(url, process)
            return Response(f"{request.environ['retry.attempt'] + 1} {len(rows.all())}")

        client = make_client(url, view=write_and_read, **{"db.pool_size": "1"})
        # The connection has committed before.
        client.post("/lines", status=200)

        assert client.post("/lines?lose=1", status=200).text == "2 999"
        assert count(url) == 2

    def test_before_commit_is_repeated(self, url: str, proxy: CuttingProxy, make_client: MakeClient):
        client = make_client(proxy.url)
        client.post("/lines", status=200)
        proxy.cut_at = b"INSERT"

        assert client.post("/lines", status=503).text == "unavailable"
        # Each attempt was cut, and each was undone by the server.
        assert proxy.cuts == 3
        proxy.cut_at = None
        assert client.post("/lines", status=200).text == "1"
        assert count(url) == 2

    def test_a_refused_connection_is_unavailable_at_once(self, proxy: CuttingProxy, make_client: MakeClient):
        client = make_client(proxy.url)
        proxy.close()

        begin = time.monotonic()
        assert client.post("/lines", status=503).text == "unavailable"
        assert time.monotonic() - begin < 5

    def test_an_exhausted_pool_is_overload_within_its_wait(self, url: str, make_client: MakeClient):
        client = make_client(url, **{"db.pool_size": "1", "db.pool_timeout_seconds": "0.2"})
        with client.app.registry["db.engine"].connect():
            assert client.post("/lines", status=503).text == "overloaded"

        assert client.post("/lines", status=200).text == "1"
