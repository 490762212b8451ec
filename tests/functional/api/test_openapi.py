"""The published document says what the routes do, no more and no less."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import webtest
from pyramid.router import Router

from myapp.api import catalogue, problems, routes
from tests.functional.api.shop import Shop

# Pages and documents for people and tools; they are no operations of the API.
UNDOCUMENTED = {"home", "openapi", "docs", "problem", "metrics"}


@pytest.fixture
def document(app: webtest.TestApp) -> dict[str, Any]:
    return app.get("/openapi.json").json


class TestViews:
    def test_each_declares_a_permission(self, wsgi_app: Router) -> None:
        undeclared = [
            view["callable"]
            for view, permission in catalogue.views(wsgi_app.registry)
            if permission is None and view["route_name"] is not None
        ]

        assert undeclared == []

    def test_those_below_v1_need_a_key(self, wsgi_app: Router) -> None:
        for operation in catalogue.read(wsgi_app.registry):
            assert (operation.permission is not None) == operation.path.startswith("/v1/"), operation

    def test_reading_needs_less_than_writing(self, wsgi_app: Router) -> None:
        for operation in catalogue.read(wsgi_app.registry):
            # To see a webhook is to know where all that happens is sent, which may be a secret.
            if operation.permission is not None and operation.group != "webhooks":
                assert (operation.permission == "read") == (operation.method == "GET"), operation

    def test_webhooks_are_for_admins(self, wsgi_app: Router) -> None:
        permissions = {each.permission for each in catalogue.read(wsgi_app.registry) if each.group == "webhooks"}

        assert permissions == {"admin"}


class TestDocument:
    def test_names_no_module(self, document: dict[str, Any]) -> None:
        assert [name for name in document["components"]["schemas"] if "." in name] == []

    def test_has_the_routes_and_their_methods(self, wsgi_app: Router, document: dict[str, Any]) -> None:
        patterns = dict(routes.ROUTES)
        routed = {
            (patterns[view["route_name"]], view["request_methods"].lower())
            for view, _permission in catalogue.views(wsgi_app.registry)
            if view["route_name"] and view["request_methods"] and view["route_name"] not in UNDOCUMENTED
        }

        documented = {(path, method) for path, methods in document["paths"].items() for method in methods}

        assert documented == routed
        assert len(documented) > 15

    def test_defines_what_it_refers_to_and_nothing_else(self, document: dict[str, Any]) -> None:
        references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))

        assert references == document["components"]["schemas"].keys()

    def test_names_what_every_problem_carries(self, document: dict[str, Any]) -> None:
        for methods in document["paths"].values():
            for operation in methods.values():
                for status, answer in operation["responses"].items():
                    assert {"X-Request-Id", "Server-Timing"} <= answer["headers"].keys()
                    assert ("WWW-Authenticate" in answer["headers"]) == (status == "401")
                    codes = answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).keys()
                    waits = status == "503" or codes & {"conflict", "idempotency-in-progress"}
                    assert ("Retry-After" in answer["headers"]) == bool(waits)

    def test_lists_for_whatever_asks_the_database_that_it_may_be_away(self, document: dict[str, Any]) -> None:
        for path, methods in document["paths"].items():
            for operation in methods.values():
                listed = json.dumps(operation["responses"])
                assert ('"unavailable"' in listed) == ('"conflict"' in listed) == (path != "/healthz")

    def test_lists_for_whatever_asks_the_database_that_it_may_be_hurried(self, document: dict[str, Any]) -> None:
        for path, methods in document["paths"].items():
            for operation in methods.values():
                headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
                assert ("Request-Timeout" in headers) == (path != "/healthz")

    def test_gives_a_check_that_there_is_as_example(self, shop: Shop, document: dict[str, Any]) -> None:
        (example,) = document["components"]["schemas"]["Check"]["properties"]["name"]["examples"]

        assert example in {check["name"] for check in shop.must(200, "GET", "verify")["checks"]}

    def test_spells_patterns_as_json_schema_does(self, document: dict[str, Any]) -> None:
        patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(document))

        assert patterns
        assert not [each for each in patterns if "\\Z" in json.loads(each) or "\\x" in json.loads(each)]

    def test_lists_for_every_operation_the_codes_it_can_give(self, document: dict[str, Any]) -> None:
        listed = set()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                codes = {
                    (int(status), code)
                    for status, answer in operation["responses"].items()
                    for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", ())
                }
                assert all(problems.KINDS[code].status == status for status, code in codes)
                assert ("not-found" in {code for _status, code in codes}) == ("{" in path), (method, path)
                listed |= {code for _status, code in codes}

        # An address without a view for the method is no operation.
        assert listed == set(problems.KINDS) - {"method-not-allowed"}

    def test_may_be_kept_but_is_asked_for_again(self, app: webtest.TestApp) -> None:
        assert app.get("/openapi.json").headers["Cache-Control"] == "no-cache"


class TestMethods:
    def test_that_are_unknown_get_the_list_of_those_that_are(self, shop: Shop) -> None:
        for method in ("DELETE", "PUT", "TRACE"):
            assert shop.call(method, "accounts").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
            shop.refused("method-not-allowed", method, "accounts")

    def test_options_lists_them(self, shop: Shop) -> None:
        answer = shop.call("OPTIONS", "transactions/batch")

        assert (answer.status_int, answer.body, answer.headers["Allow"]) == (204, b"", "OPTIONS, POST")

    def test_head_is_get_without_a_body(self, shop: Shop) -> None:
        got, asked = shop.call("GET", "accounts"), shop.call("HEAD", "accounts")

        assert (asked.status_int, asked.body) == (200, b"")
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]
