"""The pages for people: complete, self-contained, and safe."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
import webtest
from pyramid.router import Router

from myapp.api import problems
from myapp.api.documentation import pages
from myapp.db import scope
from myapp.db.limits import admission

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class TestHome:
    def test_sends_a_browser_to_the_documentation(self, app: webtest.TestApp) -> None:
        answer = app.get("/", headers=BROWSER, status=303)

        assert answer.headers["Location"].endswith("/docs")

    def test_tells_a_program_the_addresses(self, app: webtest.TestApp) -> None:
        for address in app.get("/").json.values():
            app.get(address, status=200)


class TestDocumentation:
    @pytest.fixture
    def page(self, app: webtest.TestApp) -> webtest.TestResponse:
        return app.get("/docs", headers=BROWSER)

    def test_has_every_operation_and_every_code(self, app: webtest.TestApp, page: webtest.TestResponse) -> None:
        text = html.unescape(page.text)
        for path, methods in app.get("/openapi.json").json["paths"].items():
            for method, operation in methods.items():
                assert f'id="{operation["operationId"]}"' in text
                assert f"{method.upper()}</span>{path}</code>" in text
        for code in problems.KINDS:
            assert f'<tr id="{code}">' in text

    def test_links_to_nothing_that_is_not_there(self, app: webtest.TestApp, page: webtest.TestResponse) -> None:
        targets = set(re.findall(r'href="([^"]+)"', page.text))

        for target in targets:
            if target.startswith("#"):
                assert f'id="{target[1:]}"' in page.text
            else:
                app.get(target, status=200)

    def test_loads_nothing_and_runs_nothing(self, page: webtest.TestResponse) -> None:
        policy = page.headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script|<link|<img|<iframe|\ssrc=|@import|url\(|\son\w+=|\sstyle=", page.text)

    def test_shows_commands_for_the_address_it_is_read_at(self, app: webtest.TestApp) -> None:
        page = app.get("/docs", headers={"Host": '127.0.0.1:7000"><script>'}, status="*")
        assert "<script>" not in page.text

        assert "curl http://127.0.0.1:7000/v1/ledgers" in app.get("/docs", headers={"Host": "127.0.0.1:7000"}).text

    def test_shows_commands_that_work(self, app: webtest.TestApp, page: webtest.TestResponse) -> None:
        commands = [
            html.unescape(re.sub(r"<[^>]+>", "", each))
            for each in re.findall(r"<pre[^>]*>(curl.*?)</pre>", page.text, re.DOTALL)
        ]
        order = [
            "POST http://localhost/v1/ledgers ",
            "/currencies/",
            "/accounts ",
            "/transactions ",
            "/batch ",
            "PATCH http://localhost/v1/ledgers/shop/accounts/",
        ]

        statuses = []
        for wanted in order:
            for command in commands:
                body = re.search(r"-d '(.*)'\Z", command, re.DOTALL)
                if wanted in command and body:
                    method, address = re.match(r"curl -X (\w+) (\S+)", command).groups()
                    headers = {"Content-Type": "application/json"}
                    statuses.append(
                        app.request(
                            address, method=method, body=body[1].encode(), headers=headers, status="*"
                        ).status_int
                    )

        # The example of a transaction names accounts that nobody opened in this ledger.
        assert set(statuses) <= {200, 201, 422, 409}
        assert 400 not in statuses
        assert statuses.count(201) >= 3


class TestTemplates:
    def test_escape_what_they_show(self) -> None:
        kind = problems.Kind(code="a", status=400, title="<b>&", explanation='<i> `<u>` "')

        page = pages.render("problem.mako", kind=kind).text

        assert "<h1>&lt;b&gt;&amp;</h1>" in page
        assert "&lt;i&gt; <code>&lt;u&gt;</code>" in page


class TestProblemPages:
    @pytest.mark.parametrize("code", problems.KINDS)
    def test_explain_each_code_to_people(self, app: webtest.TestApp, code: str) -> None:
        page = app.get(f"/problems/{code}", headers=BROWSER)

        assert page.content_type == "text/html"
        assert problems.KINDS[code].title in html.unescape(page.text)

    def test_are_not_found_for_what_is_no_code(self, app: webtest.TestApp) -> None:
        assert app.get("/problems/nonsense", headers=BROWSER, status=404).json["code"] == "not-found"


@contextmanager
def at_revision(app: webtest.TestApp, revision: str) -> Iterator[None]:
    sessions = app.app.registry["db.sessions"]
    write = sa.text("UPDATE alembic_version SET version_num = :revision")
    with scope.session_scope(sessions) as session:
        current = session.scalar(sa.text("SELECT version_num FROM alembic_version"))
        session.execute(write, {"revision": revision})
    try:
        yield
    finally:
        with scope.session_scope(sessions) as session:
            session.execute(write, {"revision": current})


# Readiness tells of a fault, in place of a repeat.
@pytest.mark.not_for("faults")
class TestHealth:
    def test_is_ready_on_a_current_schema(self, app: webtest.TestApp) -> None:
        assert app.get("/readyz").json == app.get("/healthz").json == {"status": "ok"}

    def test_is_ready_when_it_has_as_much_to_do_as_it_can(self, make_wsgi_app: Callable[..., Router]) -> None:
        busy = make_wsgi_app(**{"db.pool_size": "1", "db.waiting_max": "0"})
        lines = admission.of(busy.registry["db.engine"])
        assert lines is not None
        assert lines.connections.enter(0)
        client = webtest.TestApp(busy)

        client.get("/v1/ledgers", status=503, extra_environ={"REMOTE_ADDR": "127.0.0.1"})
        assert client.get("/readyz").json == {"status": "ok"}

        lines.connections.leave()

    def test_is_not_ready_on_another_schema(self, app: webtest.TestApp) -> None:
        with at_revision(app, "another"):
            answer = app.get("/readyz", status=503)

        assert answer.json["code"] == "unavailable"
        assert "alembic upgrade head" in answer.json["detail"]
