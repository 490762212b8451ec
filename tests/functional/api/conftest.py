"""Fixtures for the API's journeys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import webtest
from pyramid.router import Router

from tests.functional.api.shop import Shop


@pytest.fixture
def shop(app: webtest.TestApp) -> Shop:
    """Return a shop whose books are gone after the test."""
    return Shop(app).open()


@pytest.fixture
def lasting_shop(committing_app: webtest.TestApp) -> Shop:
    """Return a shop whose books are committed for real."""
    return Shop(committing_app).open()


@pytest.fixture(scope="session")
def keyed_wsgi_app(make_wsgi_app: Callable[..., Router]) -> Router:
    """Return the application that asks for keys."""
    return make_wsgi_app(**{"myapp.auth": "keys"})
