"""What a program that watches the service reads at /metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import webtest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from pyramid.router import Router

from myapp.db.limits import admission
from tests.architecture.house_rules import ROOT
from tests.architecture.test_docs_match_code import first_column, section
from tests.functional.api.shop import Shop, sale

SHUTTING_DOWN = "myapp.shutting_down"
PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class TestMetrics:
    def test_need_no_key_and_no_database(self, make_wsgi_app: Callable[..., Router]) -> None:
        keyed = make_wsgi_app(**{"myapp.auth": "keys"})

        answer = webtest.TestApp(keyed).get("/metrics")

        assert answer.headers["Content-Type"] == PLAIN_TEXT
        assert answer.headers["Cache-Control"] == "no-store"
        assert keyed.registry["db.engine"].pool.checkedin() == 0

    @pytest.mark.parametrize(
        "accept",
        [
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text",
            # What Prometheus sends.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
        ],
    )
    def test_are_told_in_the_form_that_is_asked_for(self, app: webtest.TestApp, accept: str) -> None:
        answer = app.get("/metrics", headers={"Accept": accept})

        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert "http_requests" in {family.name for family in read_openmetrics(answer.text)}

    @pytest.mark.parametrize(
        "accept",
        [
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=99999",
            "text/plain; version=é",
            "text/plain; version=99999",
            ";,;version",
        ],
    )
    def test_are_plain_text_whatever_else_is_asked_for(self, app: webtest.TestApp, accept: str) -> None:
        answer = app.get("/metrics", headers={"Accept": accept})

        assert answer.headers["Content-Type"] == PLAIN_TEXT

    def test_are_told_while_nobody_gets_a_connection(self, make_wsgi_app: Callable[..., Router]) -> None:
        busy = make_wsgi_app(**{"db.pool_size": "1", "db.waiting_max": "0"})
        lines = admission.of(busy.registry["db.engine"])
        assert lines is not None
        assert lines.connections.enter(0)
        client = webtest.TestApp(busy, extra_environ={"REMOTE_ADDR": "127.0.0.1"})

        client.get("/v1/ledgers", status=503)

        assert 'db_refusals_total{code="overloaded"} 1.0' in client.get("/metrics").text
        lines.connections.leave()

    def test_are_told_while_the_server_ends(self, app: webtest.TestApp) -> None:
        ending = threading.Event()
        ending.set()

        app.get("/metrics", extra_environ={SHUTTING_DOWN: ending})

    def test_name_no_ledger_and_no_account(self, shop: Shop, app: webtest.TestApp) -> None:
        shop.must(201, "POST", "transactions", sale())

        told = app.get("/metrics").text

        assert shop.name not in told
        assert 'db_statements_total{route="transactions"}' in told

    def test_are_those_of_the_documentation(self, app: webtest.TestApp) -> None:
        families = read_text(app.get("/metrics").text)
        told = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
        ours = {name for name in told if not name.startswith("process_")}

        assert ours == first_column(section(ROOT / "docs" / "operations.md", "Watch"))

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    def test_can_only_be_read(self, app: webtest.TestApp, method: str) -> None:
        assert getattr(app, method)("/metrics", status=405).headers["Allow"] == "GET, HEAD, OPTIONS"
