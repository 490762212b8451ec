"""A small application on two databases: each view writes a line in both, and may be made to stop on the way.

Run as a program it makes one request and kills itself at a moment of the two-phase commit, as a crash would:

    python -m tests.two_databases FIRST_URL SECOND_URL MOMENT
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import webtest
from psycopg import sql
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors
from tests.own_postgresql import OwnPostgresql

# A line's `parent` is looked for when the transaction ends, so that this can be made to fail.
LINES = """\
CREATE TABLE lines (
    text text PRIMARY KEY,
    parent text REFERENCES lines DEFERRABLE INITIALLY DEFERRED
)"""
WRITE = sa.text("INSERT INTO lines (text, parent) VALUES (:text, :parent)")
COUNT = sa.text("SELECT count(*) FROM lines")
PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared"

View = Callable[[Request], Response]


def write(session: Any, text: str, parent: str | None = None) -> None:
    session.execute(WRITE, {"text": text, "parent": parent})


def write_both(request: Request) -> Response:
    write(request.dbsession, "first")
    write(request.second_dbsession, "second")
    return Response(str(request.environ["retry.attempt"] + 1))


@dataclass(frozen=True)
class Pair:
    """Two databases, with an empty table of lines each."""

    first: str
    second: str

    def rows(self, url: str, query: str = "SELECT text FROM lines ORDER BY text") -> list[Any]:
        with psycopg.connect(url, autocommit=True) as connection:
            return [row[0] for row in connection.execute(query)]

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """The committed lines of both."""
        return self.rows(self.first), self.rows(self.second)

    @property
    def prepared(self) -> list[str]:
        """The names of what is prepared in the second."""
        return self.rows(self.second, PREPARED)


def make_lines(server: OwnPostgresql, name: str) -> str:
    """Make a database with an empty table of lines, and return its URL."""
    server.value(f"CREATE DATABASE {name}")
    url = sa.make_url(server.url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LINES)
    return url


def clear(pair: Pair) -> None:
    with psycopg.connect(pair.second, autocommit=True) as connection:
        for name in pair.prepared:
            connection.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(name)))
        connection.execute("TRUNCATE lines")
    with psycopg.connect(pair.first, autocommit=True) as connection:
        connection.execute("TRUNCATE lines; DROP TABLE IF EXISTS second_database_decisions")


@pytest.fixture(scope="session")
def kept_pair(kept_postgresql: OwnPostgresql) -> Pair:
    return Pair(make_lines(kept_postgresql, "first"), make_lines(kept_postgresql, "second"))


@pytest.fixture
def pair(own_postgresql: OwnPostgresql, kept_pair: Pair) -> Iterator[Pair]:
    """Lend two databases; the server is one of the test's own, which may prepare transactions."""
    yield kept_pair
    clear(kept_pair)


@pytest.fixture(scope="session")
def kept_pair_apart(kept_postgresql: OwnPostgresql, kept_other_postgresql: OwnPostgresql) -> Pair:
    return Pair(make_lines(kept_postgresql, "apart"), make_lines(kept_other_postgresql, "apart"))


@pytest.fixture
def pair_apart(own_postgresql: OwnPostgresql, other_postgresql: OwnPostgresql, kept_pair_apart: Pair) -> Iterator[Pair]:
    """Lend two databases of two servers, each of which the test may stop and freeze."""
    yield kept_pair_apart
    own_postgresql.restore()
    other_postgresql.restore()
    clear(kept_pair_apart)


def say_what_it_means(exc: Exception, _request: Request) -> Response:
    meant = errors.translate(exc)
    return Response(type(exc).__name__ if meant is None else meant.code, status=500 if meant is None else 503)


def application(
    first: str,
    second: str,
    view: View,
    *,
    db: dict[str, object] | None = None,
    configure: Callable[[Configurator], None] = lambda config: None,
    **settings: str,
) -> Any:
    """Return the WSGI application around one view."""
    config = Configurator(settings={"sqlalchemy.url": first, "sqlalchemy.second_url": second, **settings})
    config.include("myapp.db")
    config.add_route("lines", "/lines")
    config.add_view(view, route_name="lines", **({} if db is None else {"db": db}))
    config.add_exception_view(say_what_it_means, context=Exception)
    configure(config)
    return config.make_wsgi_app()


MakeClient = Callable[..., webtest.TestApp]


@pytest.fixture
def make_client(pair: Pair) -> Iterator[MakeClient]:
    """Return a function that makes a client of the application around a view; afterwards nothing may be checked out."""
    made: list[webtest.TestApp] = []

    def make(view: View, *, first: str = pair.first, second: str = pair.second, **options: object) -> webtest.TestApp:
        made.append(webtest.TestApp(application(first, second, view, **options)))
        return made[-1]

    yield make
    for client in made:
        for name in ("db.engine", "db.second.engine"):
            assert client.app.registry[name].pool.checkedout() == 0
            client.app.registry[name].dispose()


class Last:
    """A member of the transaction that votes after everyone else, and does something then."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def sortKey(self) -> str:  # noqa: N802 - the transaction manager's name
        return "~~"

    def tpc_vote(self, _transaction: object) -> None:
        self._act()

    def nothing(self, _transaction: object) -> None:
        """Take part without a stake."""

    abort = tpc_begin = commit = tpc_finish = tpc_abort = nothing


def at_moment(moment: str, registry: Registry, act: Callable[[], None]) -> View:
    """Return a view that writes in both, and the act comes before or after the COMMIT of the first."""

    def view(request: Request) -> Response:
        if moment == "before the decision":
            sa.event.listen(registry()["db.engine"], "commit", lambda _connection: act(), once=True)
        else:
            request.tm.get().join(Last(act))
        return write_both(request)

    return view


def _die(first: str, second: str, moment: str) -> None:
    made: list[Any] = []
    view = at_moment(moment, lambda: made[0].registry, lambda: os.kill(os.getpid(), signal.SIGKILL))
    made.append(application(first, second, view))
    webtest.TestApp(made[0]).post("/lines")


if __name__ == "__main__":
    _die(*sys.argv[1:])
