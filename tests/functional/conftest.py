"""The whole application, called as its clients call it.

`app` runs on the real tween, the real transaction manager and the real commit path, inside one outer database
transaction that is rolled back after the test. `committing_app` commits for real; tests that use it are marked
`commits`. With `--variant` (see `tests.variants`) everything is committed for real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import webtest
from pyramid.router import Router

import myapp
from myapp.db import sandbox
from tests.variants import Variant

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture(scope="session")
def make_wsgi_app(database_url: str, variant: Variant) -> Iterator[Callable[..., Router]]:
    """Return a function that makes the application with settings of one's own over the shared database."""
    made: list[Router] = []
    # Nothing is remembered, so that what a request does is the same each time; test_authorisation has what is.
    common = {
        "sqlalchemy.url": variant.url(database_url),
        "myapp.auth": "open",
        "myapp.remember_seconds": "0",
        **variant.settings,
    }

    def make(**settings: str) -> Router:
        made.append(myapp.main({}, **common | settings))
        variant.prepare(made[-1].registry["db.engine"])
        return made[-1]

    yield make
    for app in made:
        app.registry["db.engine"].dispose()


@pytest.fixture(scope="session")
def wsgi_app(make_wsgi_app: Callable[..., Router]) -> Router:
    return make_wsgi_app()


@pytest.fixture
def app(wsgi_app: Router, variant: Variant) -> Iterator[webtest.TestApp]:
    """Return a client of the application whose every write is gone after the test."""
    registry = wsgi_app.registry
    if variant.commits:
        yield webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)
        return
    committing = registry["db.sessions"]
    with sandbox.sandbox(registry["db.engine"]) as sessions:
        registry["db.sessions"] = sessions
        yield webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)
        registry["db.sessions"] = committing
    assert registry["db.engine"].pool.checkedout() == 0


@pytest.fixture
def committing_app(wsgi_app: Router) -> webtest.TestApp:
    """Return a client of the application that commits for real."""
    return webtest.TestApp(wsgi_app, extra_environ=LOOPBACK)
