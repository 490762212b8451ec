"""SESSION promise 10: what a view declares of its unit of work holds, and nonsense stops the start."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationError, ConfigurationExecutionError
from pyramid.request import Request
from pyramid.response import Response

from myapp import settings
from tests.integration.db.conftest import MakeNotes


def ok(_request: Request) -> Response:
    return Response()


class TestPromise10Declared:
    @pytest.mark.parametrize(
        ("declared", "complaint"),
        [
            ({"read_only": True}, "'read_only' is no option; there are readonly, isolation, retry, timeout, primary"),
            ({"readonly": "yes"}, "readonly = 'yes': expected True or False"),
            ({"isolation": "CHAOS"}, "isolation = 'CHAOS': expected READ COMMITTED | REPEATABLE READ | SERIALIZABLE"),
            ({"retry": 0}, "retry = 0: expected a whole number of attempts from 1"),
            ({"retry": True}, "retry = True: expected a whole number of attempts from 1"),
            ({"retry": 4}, "retry = 4: the setting retry.attempts allows 3 at most"),
            ({"timeout": 0}, "timeout = 0: expected seconds above 0"),
            ({"primary": True, "readonly": False}, "primary = True is for reads"),
            ({"timeout": -1, "retry": "x"}, "retry = 'x'"),
            ("readonly", "db='readonly' on"),
        ],
        ids=str,
    )
    def test_nonsense_stops_the_start_and_says_why(self, make_notes: MakeNotes, declared: object, complaint: str):
        with pytest.raises((ConfigurationError, ConfigurationExecutionError)) as caught:
            make_notes(ok, db=declared)
        assert complaint in str(caught.value)

    def test_an_exception_view_comes_too_late_to_declare_anything(self, make_notes: MakeNotes):
        def configure(config: Configurator) -> None:
            config.add_exception_view(lambda _exc, _request: Response(), context=Exception, db={"timeout": 1})

        with pytest.raises((ConfigurationError, ConfigurationExecutionError), match="on the exception view"):
            make_notes(ok, catch_all=False, configure=configure)

    @pytest.mark.parametrize(
        "setting", [{"tm.manager_hook": lambda _request: None}, {"tm.commit_veto": lambda _request, _response: False}]
    )
    def test_what_the_layer_decides_cannot_be_set_otherwise(self, make_notes: MakeNotes, setting: dict[str, object]):
        (name,) = setting
        with pytest.raises(ConfigurationError, match=rf"{name} = .+; remove the setting"):
            make_notes(ok, **setting)

    @pytest.mark.parametrize("level", settings.ISOLATION_LEVELS)
    def test_isolation_holds_for_the_view_alone(self, make_notes: MakeNotes, dialect: str, level: str):
        # SQLite has no weaker level to show; the declaration must not disturb how it begins.
        shown = "'serializable'" if dialect == "sqlite" else "current_setting('transaction_isolation')"
        query = f"SELECT {shown}"

        def view(request: Request) -> Response:
            return Response(request.dbsession.scalar(sa.text(query)))

        notes = make_notes(view, db={"isolation": level})
        expected = "serializable" if dialect == "sqlite" else level.lower()
        assert notes.client.get("/notes").text == expected
        assert notes.client.post("/notes").text == expected
        with notes.engine.connect() as connection:
            default = connection.scalar(sa.text(query))
        assert default == ("serializable" if dialect == "sqlite" else "read committed")

    def test_the_default_isolation_is_a_setting(self, make_notes: MakeNotes, dialect: str):
        def view(request: Request) -> Response:
            if dialect == "sqlite":
                return Response("serializable")
            return Response(request.dbsession.scalar(sa.text("SELECT current_setting('transaction_isolation')")))

        notes = make_notes(view, **{"db.isolation": "serializable"})

        assert notes.client.get("/notes").text == "serializable"

    def test_a_time_out_bounds_a_wait_for_a_lock_and_is_gone_after_the_request(
        self, make_notes: MakeNotes, dialect: str
    ):
        waits: list[float] = []

        def view(request: Request) -> Response:
            begin = time.monotonic()
            try:
                request.dbsession.execute(sa.text("DELETE FROM notes"))
            finally:
                waits.append(time.monotonic() - begin)
            return Response()

        notes = make_notes(view, db={"timeout": 0.2, "retry": 1})
        with notes.engine.begin() as blocker:
            if dialect == "postgresql":
                blocker.exec_driver_sql("LOCK TABLE notes")
            notes.client.post("/notes", status=500)

        assert 0.15 < waits[0] < 4
        with notes.engine.connect() as connection:
            left = "PRAGMA busy_timeout" if dialect == "sqlite" else "SHOW lock_timeout"
            assert connection.exec_driver_sql(left).scalar() in (5000, "5s")

    def test_the_declaration_is_known_before_the_views_permission_is_judged(self, make_notes: MakeNotes):
        class Policy:
            """Reads the database to decide, as a policy with keys in a table does."""

            def permits(self, request: Request, _context: object, _permission: str) -> bool:
                query = sa.text("SELECT count(*) FROM notes")
                return request.dbsession.scalar(query) == 0 and request.db_options.retry == 1

        def configure(config) -> None:
            config.set_security_policy(Policy())
            config.set_default_permission("any")

        make_notes(ok, db={"retry": 1}, configure=configure).client.get("/notes", status=200)

    def test_a_session_made_before_the_declaration_was_known_is_refused(self, make_notes: MakeNotes):
        def root(request: Request) -> object:
            request.dbsession.execute(sa.text("SELECT 1"))
            return object()

        notes = make_notes(ok, db={"readonly": True}, configure=lambda config: config.set_root_factory(root))

        assert "SessionMisuse" in notes.client.post("/notes", status=500).text
