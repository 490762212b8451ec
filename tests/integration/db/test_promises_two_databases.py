"""Two databases in one request: what is written in both is committed in both or in neither.

The databases are two of a server of the test's own, which may prepare transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp import settings
from myapp.db import errors, sandbox
from myapp.db.limits import admission
from myapp.db.unit import Unit
from tests.faults.cutting_proxy import cutting_proxy
from tests.own_postgresql import OwnPostgresql, wait_until
from tests.two_databases import COUNT, Last, MakeClient, Pair, application, write, write_both

WAIT_SECONDS = 30
SERIALIZABLE = {"isolation": "SERIALIZABLE"}
BOTH = (["first"], ["second"])
NEITHER: tuple[list[str], list[str]] = ([], [])


class Refused(Exception):
    """The domain's own."""


def skew(engine: sa.Engine, text: str) -> None:
    """Write what the request reads and read what it writes, and be faster."""
    with engine.connect().execution_options(db_unit=Unit(isolation="SERIALIZABLE")) as other:
        other.execute(COUNT)
        write(other, text)
        other.commit()


def failing_tween(handler: Callable[[Request], Response], _registry: object) -> Callable[[Request], Response]:
    """Fail with something retryable once the request is committed."""

    def failing(request: Request) -> Response:
        handler(request)
        raise errors.Conflict("too late")

    return failing


class TestTwoDatabases:
    def test_commit_both(self, make_client: MakeClient, pair: Pair, statements: list[str]):
        client = make_client(write_both)
        del statements[:]

        client.post("/lines", status=200)

        assert pair.lines == BOTH
        assert pair.prepared == []
        assert [each for each in statements if each.startswith("PREPARE")]

    @pytest.mark.parametrize("status", [200, 409])
    def test_keep_nothing_of_a_request_that_fails(self, make_client: MakeClient, pair: Pair, status: int):
        def view(request: Request) -> Response:
            write_both(request)
            if status == 200:
                raise RuntimeError
            return Response(status=status)

        make_client(view).post("/lines", status="*")

        assert pair.lines == NEITHER
        assert pair.prepared == []

    @pytest.mark.parametrize("refusing", ["dbsession", "second_dbsession"])
    def test_keep_nothing_when_one_refuses_at_its_end(self, make_client: MakeClient, pair: Pair, refusing: str):
        def view(request: Request) -> Response:
            write_both(request)
            write(getattr(request, refusing), "orphan", parent="nobody")
            return Response()

        assert make_client(view).post("/lines", status=500).text == "IntegrityError"
        assert pair.lines == NEITHER
        assert pair.prepared == []

    def test_keep_nothing_prepared_while_others_wait_for_the_connection(self, make_client: MakeClient, pair: Pair):
        def view(request: Request) -> Response:
            if "busy" in request.params:
                request.second_dbsession.execute(sa.text("SELECT pg_sleep(2.5)"))
                return Response()
            write_both(request)
            write(request.dbsession, "orphan", parent="nobody")
            waiting.append(threads.submit(client.post, "/lines?busy=1"))
            line = admission.of(request.registry["db.second.engine"]).connections
            wait_until(lambda: line.waiting == 1, "the other request waits")
            return Response()

        client = make_client(view, **{"db.pool_size": "1", "db.pool_timeout_seconds": "2"})
        waiting: list[Future[webtest.TestResponse]] = []
        with ThreadPoolExecutor(1) as threads:
            assert client.post("/lines", status=500).text == "IntegrityError"
            # The other one has the connection now.
            assert pair.prepared == []
            assert waiting[0].result(WAIT_SECONDS).status_int == 200
        assert pair.lines == NEITHER

    @pytest.mark.parametrize("broken", ["lines_pkey", "lines_parent_fkey"], ids=["in the view", "at the end"])
    @pytest.mark.parametrize("refusing", ["dbsession", "second_dbsession"])
    def test_both_raise_the_domains_own_error_for_a_constraint(
        self, make_client: MakeClient, pair: Pair, refusing: str, broken: str
    ):
        def view(request: Request) -> Response:
            write_both(request)
            for _ in range(2 if broken == "lines_pkey" else 1):
                write(getattr(request, refusing), "orphan", parent="nobody")
            return Response()

        def configure(config: Configurator) -> None:
            config.add_constraint_error(broken, error=Refused)

        assert make_client(view, configure=configure).post("/lines", status=500).text == "Refused"
        assert pair.lines == NEITHER
        assert pair.prepared == []

    @pytest.mark.parametrize(
        ("conflicting", "moment"),
        [("db.second.engine", "before_cursor_execute"), ("db.engine", "after_cursor_execute")],
        ids=["the second's PREPARE", "the first's COMMIT"],
    )
    def test_are_repeated_together_after_a_conflict_at_the_end(
        self, make_client: MakeClient, pair: Pair, conflicting: str, moment: str
    ):
        prepares: list[str] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(COUNT)
            request.second_dbsession.execute(COUNT)
            return write_both(request)

        def interfere(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith("PREPARE"):
                prepares.append(statement)
                if len(prepares) == 1:
                    skew(registry[conflicting], "other")

        client = make_client(view, db=SERIALIZABLE)
        registry = client.app.registry
        sa.event.listen(registry["db.second.engine"], moment, interfere)

        assert client.post("/lines", status=200).text == "2"
        assert len(prepares) == 2
        assert [line for lines in pair.lines for line in lines if line != "other"] == ["first", "second"]
        assert pair.prepared == []

    @pytest.mark.parametrize(
        ("used", "lines"),
        [
            ({"dbsession": "write"}, (["dbsession"], [])),
            ({"second_dbsession": "write"}, ([], ["second_dbsession"])),
            ({"dbsession": "write", "second_dbsession": "read"}, (["dbsession"], [])),
        ],
    )
    def test_prepare_nothing_where_nothing_needs_it(
        self, make_client: MakeClient, pair: Pair, statements: list[str], used: dict[str, str], lines: object
    ):
        def view(request: Request) -> Response:
            for name, how in used.items():
                session = getattr(request, name)
                write(session, name) if how == "write" else session.execute(COUNT)
            return Response()

        client = make_client(view)
        del statements[:]
        client.post("/lines", status=200)

        assert pair.lines == lines
        assert not [each for each in statements if "PREPARE" in each or "decisions" in each]

    def test_refuse_a_write_of_a_get_in_either(self, make_client: MakeClient, pair: Pair):
        def view(request: Request) -> Response:
            request.dbsession.execute(COUNT)
            write(request.second_dbsession, "second")
            return Response()

        make_client(view).get("/lines", status=500)

        assert pair.lines == NEITHER

    def test_both_read_in_a_get(self, make_client: MakeClient):
        def view(request: Request) -> Response:
            return Response(str([request.dbsession.scalar(COUNT), request.second_dbsession.scalar(COUNT)]))

        assert make_client(view).get("/lines").text == "[0, 0]"

    @pytest.mark.parametrize("used", [["second_dbsession"], ["dbsession", "second_dbsession"]])
    def test_what_fails_after_the_commit_is_never_a_reason_to_write_again(
        self, make_client: MakeClient, pair: Pair, used: list[str]
    ):
        def view(request: Request) -> Response:
            for name in used:
                write(getattr(request, name), str(request.environ["retry.attempt"]))
            return Response()

        def configure(config: Configurator) -> None:
            place = {"under": "myapp.db.request_session.ending_tween", "over": "pyramid_tm.tm_tween_factory"}
            config.add_tween(f"{__name__}.failing_tween", **place)

        with pytest.raises(errors.Conflict, match="too late"):
            make_client(view, configure=configure).post("/lines")

        assert [line for lines in pair.lines for line in lines] == ["0"] * len(used)

    @pytest.mark.parametrize("used", ["dbsession", "second_dbsession"])
    def test_either_session_made_before_the_views_declaration_was_known_is_refused(
        self, make_client: MakeClient, used: str
    ):
        def root(request: Request) -> object:
            getattr(request, used).execute(COUNT)
            return object()

        client = make_client(write_both, db={"readonly": True}, configure=lambda config: config.set_root_factory(root))

        assert client.post("/lines", status=500).text == "SessionMisuse"

    def test_the_second_session_is_dead_after_the_request(self, make_client: MakeClient):
        kept: list[object] = []

        def view(request: Request) -> Response:
            kept.append(request.second_dbsession)
            return write_both(request)

        make_client(view).post("/lines")

        with pytest.raises(errors.SessionEnded, match="POST /lines"):
            write(kept[0], "late")

    def test_the_second_session_ends_with_a_process_that_exits(self, make_client: MakeClient, pair: Pair):
        def view(request: Request) -> Response:
            write(request.second_dbsession, "second")
            raise SystemExit

        with pytest.raises(SystemExit):
            make_client(view).post("/lines")

        assert pair.lines == NEITHER

    def test_are_one_after_the_other_in_a_sandbox(self, make_client: MakeClient, pair: Pair):
        client = make_client(write_both)
        registry = client.app.registry
        first, second = registry["db.engine"], registry["db.second.engine"]
        with sandbox.sandbox(first) as firsts, sandbox.sandbox(second) as seconds:
            registry["db.sessions"], registry["db.second.sessions"] = firsts, seconds
            client.post("/lines", status=200)

        assert pair.lines == NEITHER


class TestFaultsBetweenTheTwo:
    def test_a_commit_whose_answer_is_lost_is_followed_by_the_second(
        self, make_client: MakeClient, pair: Pair, caplog: pytest.LogCaptureFixture
    ):
        with cutting_proxy(pair.first) as proxy:
            client = make_client(write_both, first=proxy.url)
            engine = client.app.registry["db.engine"]
            sa.event.listen(engine, "handle_error", lambda _context: setattr(proxy, "cut_at", None))
            proxy.cut_at = b"COMMIT\0"

            assert client.post("/lines", status=503).text == "outcome-unknown"
            assert proxy.cuts == 1

        assert pair.lines == BOTH
        assert pair.prepared == []

    def test_a_connection_lost_after_the_decision_is_replaced_by_another(self, make_client: MakeClient, pair: Pair):
        def view(request: Request) -> Response:
            process = request.second_dbsession.scalar(sa.text("SELECT pg_backend_pid()"))
            request.tm.get().join(Last(lambda: end(pair.second, process)))
            return write_both(request)

        make_client(view).post("/lines", status=200)

        assert pair.lines == BOTH
        assert pair.prepared == []

    def test_a_second_that_is_lost_after_the_decision_changes_nothing_of_it(
        self, make_client: MakeClient, pair: Pair, caplog: pytest.LogCaptureFixture
    ):
        with cutting_proxy(pair.second) as proxy:

            def view(request: Request) -> Response:
                request.tm.get().join(Last(proxy.close))
                return write_both(request)

            make_client(view, second=proxy.url).post("/lines", status=200)

        (name,) = pair.prepared
        assert pair.lines == (["first"], [])
        (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert "`myapp database recover`" in record.getMessage()
        assert name in record.getMessage()


def end(url: str, process: int) -> None:
    """End a connection of the server's, and wait until it is over."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [process])


def restart_with(server: OwnPostgresql, *, max_prepared_transactions: object) -> None:
    server.value(f"ALTER SYSTEM SET max_prepared_transactions = {max_prepared_transactions}")
    server.stop()
    server.start()


class TestStart:
    def test_is_refused_where_nothing_can_be_prepared(self, pair: Pair, own_postgresql: OwnPostgresql):
        allowed = own_postgresql.value("SHOW max_prepared_transactions")
        restart_with(own_postgresql, max_prepared_transactions=0)
        try:
            with pytest.raises(settings.SettingsError, match="max_prepared_transactions = 0"):
                application(pair.first, pair.second, write_both)
        finally:
            restart_with(own_postgresql, max_prepared_transactions=allowed)

    def test_is_refused_where_the_second_is_not_there(self, pair: Pair):
        with pytest.raises(settings.SettingsError, match="absent"):
            application(pair.first, pair.second.replace("second", "absent"), write_both)

    def test_says_what_was_left_behind(self, pair: Pair, make_client: MakeClient, caplog: pytest.LogCaptureFixture):
        with psycopg.connect(pair.second, autocommit=True) as connection:
            connection.execute("BEGIN")
            connection.execute("PREPARE TRANSACTION 'myapp:left:behind'")

        make_client(write_both)

        assert "1 transactions are prepared in the second database" in caplog.text
