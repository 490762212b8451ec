"""Promises 15 and 16 on a real primary with a real streaming standby: where a request is answered, and what it sees.

The two have lived apart: `replay_paused` holds the standby back, so that it shows the past for as long as a test needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors, position
from tests.postgresql_pair import PostgresqlPair

SECRET = "a secret of the tests, long enough"
HEADER = position.HEADER


def say_what_it_means(exc: Exception, _request: Request) -> Response:
    meant = errors.translate(exc)
    return Response(f"{type(exc).__name__}: {exc}" if meant is None else meant.code, status=503 if meant else 500)


def page(request: Request) -> Response:
    """Read the line and say on which server, or write it."""
    if request.method == "POST":
        request.dbsession.execute(sa.text("UPDATE page SET line = :line"), {"line": request.text})
        return Response("written")
    query = sa.text("SELECT line, pg_is_in_recovery() FROM page")
    line, on_replica = request.dbsession.execute(query).one()
    return Response(f"{line} on the {'replica' if on_replica else 'primary'}")


@dataclass
class Site:
    """One process of the application, with its client."""

    client: webtest.TestApp

    @property
    def registry(self) -> Any:
        return self.client.app.registry

    def read(self, token: str | None = None, *, path: str = "/page", status: int = 200) -> webtest.TestResponse:
        return self.client.get(path, headers={} if token is None else {HEADER: token}, status=status)

    def write(self, line: str, token: str | None = None, *, status: int = 200) -> webtest.TestResponse:
        headers = {} if token is None else {HEADER: token}
        return self.client.post("/page", line.encode(), headers=headers, status=status)


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
        for name, db in {"page": {}, "fresh": {"primary": True}, "strict": {"isolation": "SERIALIZABLE"}}.items():
            config.add_route(name, f"/{name}")
            config.add_view(page, route_name=name, db=db)
        config.add_exception_view(say_what_it_means, context=Exception)
        made.append(Site(webtest.TestApp(config.make_wsgi_app())))
        return made[-1]

    yield make
    for site in made:
        site.registry["db.engine"].dispose()
        for replica in site.registry["db.replicas"].members:
            replica.engine.dispose()


class TestPromise15Replicas:
    def test_reads_go_to_a_replica_and_writes_to_the_primary(self, make_site: MakeSite, pair: PostgresqlPair):
        site = make_site()

        assert site.read().text == "old on the replica"
        assert site.write("new").text == "written"
        pair.wait_until_replayed()
        assert site.read().text == "new on the replica"
