"""Every request is of the same class, whatever is added to requests."""

from __future__ import annotations

from pyramid.events import NewRequest
from pyramid.interfaces import IRequestFactory
from webtest import TestApp

from tests.functional.api.shop import Shop


def test_is_one_for_all(shop: Shop) -> None:
    http: TestApp = shop.app
    registry = http.app.registry
    seen: list[type] = []
    registry.registerHandler(lambda event: seen.append(type(event.request)), (NewRequest,))

    for _ in range(3):
        http.get("/healthz", status=200)

    assert len(seen) == 3
    assert set(seen) == {registry.getUtility(IRequestFactory)}
    assert {"dbsession", "dbstream", "tm", "caller", "now"} <= vars(seen[0]).keys()
