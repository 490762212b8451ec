"""SESSION promises 1 to 5: one factory; fresh and lazy; dead after the request; one thread; never outside the tween."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from pyramid import httpexceptions, tweens
from pyramid.config import Configurator
from pyramid.request import Request, apply_request_extensions
from pyramid.response import Response

from myapp.db import errors, scope
from tests.integration.db.conftest import MakeNotes, Note, ServerError

WAIT_SECONDS = 10
ONE = sa.text("SELECT 1")


def write(request: Request) -> Response:
    request.dbsession.execute(sa.text("INSERT INTO notes (id, text) VALUES (1, 'written')"))
    return Response("written")


class TestPromise01OneFactory:
    def test_requests_and_scopes_get_the_same_kind_of_session_with_nothing_to_expire(self, make_notes: MakeNotes):
        seen: list[Any] = []

        def view(request: Request) -> Response:
            seen.append(request.dbsession)
            return Response()

        notes = make_notes(view)
        notes.client.get("/notes")
        with scope.session_scope(notes.sessions) as session:
            seen.append(session)

        assert {type(session) for session in seen} == {notes.sessions.class_}
        assert [session.expire_on_commit for session in seen] == [False, False]
        assert notes.sessions.kw["bind"] is notes.engine


class TestPromise02FreshAndLazy:
    def test_each_request_gets_a_session_of_its_own_and_always_the_same_one(self, make_notes: MakeNotes):
        seen: list[Any] = []

        def view(request: Request) -> Response:
            seen.append(request.dbsession)
            assert request.dbsession is seen[-1]
            return Response()

        notes = make_notes(view)
        notes.client.get("/notes")
        notes.client.get("/notes")

        assert seen[0] is not seen[1]

    @pytest.mark.parametrize("touch", [False, True], ids=["untouched", "touched without a statement"])
    def test_takes_no_connection_before_the_first_statement(self, make_notes: MakeNotes, touch: bool):
        checkouts: list[object] = []

        def view(request: Request) -> Response:
            if touch:
                assert request.dbsession is not None
            return Response()

        notes = make_notes(view)
        sa.event.listen(notes.engine, "checkout", lambda *args: checkouts.append(args))
        notes.client.post("/notes")

        assert checkouts == []

    def test_takes_one_connection_for_all_statements(self, make_notes: MakeNotes):
        checkouts: list[object] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(ONE)
            request.dbsession.execute(ONE)
            return Response()

        notes = make_notes(view)
        sa.event.listen(notes.engine, "checkout", lambda *args: checkouts.append(args))
        notes.client.get("/notes")

        assert len(checkouts) == 1


def fail(_request: Request) -> Response:
    raise ServerError("the view failed")


def exit_process(_request: Request) -> Response:
    raise SystemExit(3)


def break_the_commit(request: Request) -> Response:
    request.dbsession.add(Note(id=2, text="orphan", parent_id=404))
    return Response()


def raise_redirect(_request: Request) -> Response:
    raise httpexceptions.HTTPFound("/elsewhere")


def raise_not_found(_request: Request) -> Response:
    raise httpexceptions.HTTPNotFound()


def fail_again(_exc: Exception, _request: Request) -> Response:
    raise ServerError("the exception view failed too")


ENDINGS: dict[str, Callable[[Request], Response]] = {
    "2xx": lambda request: Response(),
    "302 raised": raise_redirect,
    "4xx returned": lambda request: Response(status=404),
    "4xx raised": raise_not_found,
    "5xx returned": lambda request: Response(status=503),
    "exception in view": fail,
    "exception in commit": break_the_commit,
    "SystemExit": exit_process,
}


class OtherMember:
    """A member of the request's transaction that is no session, a mailer's say."""

    def __init__(self) -> None:
        self.aborts = 0

    def abort(self, _transaction: object) -> None:
        self.aborts += 1


USES: dict[str, Callable[[Any], object]] = {
    "execute": lambda session: session.execute(ONE),
    "scalars": lambda session: session.scalars(ONE),
    "get": lambda session: session.get(Note, 1),
    "add": lambda session: session.add(Note(id=3, text="late")),
    "merge": lambda session: session.merge(Note(id=3, text="late")),
    "flush": lambda session: session.flush(),
    "connection": lambda session: session.connection(),
    "begin": lambda session: session.begin(),
    "begin_nested": lambda session: session.begin_nested(),
    "commit": lambda session: session.commit(),
    "rollback": lambda session: session.rollback(),
}


class TestPromise03DeadAfterTheRequest:
    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize("exception_view", ["catch-all", "none", "failing"])
    def test_no_ending_leaks_a_connection_or_a_living_session(
        self, make_notes: MakeNotes, ending: str, exception_view: str
    ):
        kept: list[Any] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(ONE)
            kept.append(request.dbsession)
            assert notes.checked_out() == 1
            return ENDINGS[ending](request)

        def configure(config: Configurator) -> None:
            if exception_view == "failing":
                config.add_exception_view(fail_again, context=Exception)

        notes = make_notes(view, catch_all=exception_view == "catch-all", configure=configure)
        try:
            notes.client.post("/notes", status="*")
        except (ServerError, SystemExit, sa.exc.IntegrityError):
            assert exception_view != "catch-all" or ending == "SystemExit"

        # No collection of garbage in between: the session is still referred to.
        assert notes.checked_out() == 0
        with pytest.raises(errors.SessionEnded, match="the request POST /notes"):
            kept[0].execute(ONE)

    def test_an_exit_ends_the_work_of_the_transactions_other_members_too(self, make_notes: MakeNotes):
        other = OtherMember()

        def view(request: Request) -> Response:
            request.tm.get().join(other)
            request.dbsession.execute(ONE)
            raise SystemExit

        with pytest.raises(SystemExit):
            make_notes(view).client.post("/notes")

        assert other.aborts == 1

    @pytest.mark.parametrize("use", USES)
    def test_any_use_after_the_end_names_the_request(self, make_notes: MakeNotes, use: str):
        kept: list[Any] = []

        def view(request: Request) -> Response:
            kept.append(request.dbsession)
            return write(request)

        notes = make_notes(view)
        notes.client.post("/notes")

        with pytest.raises(errors.SessionEnded, match="the request POST /notes"):
            USES[use](kept[0])
        assert notes.checked_out() == 0

    def test_a_client_that_reads_no_body_leaks_nothing(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(ONE)
            return Response(app_iter=(chunk for chunk in [b"never", b"read"]))

        notes = make_notes(view)
        environ = Request.blank("/notes").environ
        app_iter = notes.client.app(environ, lambda status, headers, exc_info=None: None)
        app_iter.close()

        assert notes.checked_out() == 0


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("way", ["stream", "copy"])
class TestPromise03WhatTheDriverLeavesOpen:
    """A stream() or copy() of the driver's holds the driver's lock, for which its own thread would wait for ever."""

    @pytest.mark.parametrize("ending", ["raises", "returns", "goes on"])
    def test_ends_with_the_request(self, make_notes: MakeNotes, dialect: str, way: str, ending: str):
        kept: list[Any] = []

        def view(request: Request) -> Response:
            kept.append(left_open(request, way))
            if ending == "raises":
                raise ServerError
            if ending == "goes on":
                request.dbsession.execute(ONE)
            return Response()

        notes = make_notes(view, **{"db.pool_size": "1", "retry.attempts": "1"})

        # It must not hang, nor be a success.
        assert notes.client.get("/notes", status="*").status_int == 500
        assert notes.checked_out() == 0
        with notes.engine.connect() as connection:
            connection.execute(ONE)

    def test_is_given_up_by_another_thread_in_time(self, make_notes: MakeNotes, dialect: str, way: str):
        ended: list[BaseException] = []

        def view(request: Request) -> Response:
            kept = left_open(request, way)
            driver = request.dbsession.connection().connection.driver_connection
            driver.answer_by = time.monotonic() + 0.1
            with ThreadPoolExecutor(1) as threads:
                try:
                    threads.submit(driver.execute, "SELECT 1").result(WAIT_SECONDS)
                except psycopg.OperationalError as exc:
                    ended.append(exc)
            assert kept is not None
            return Response()

        make_notes(view, **{"retry.attempts": "1"}).client.get("/notes", status="*")

        assert "was not ended" in str(ended[0])


def left_open(request: Request, way: str) -> Any:
    """Return what was begun on the driver's connection, and is kept by whoever is given it."""
    cursor = request.dbsession.connection().connection.driver_connection.cursor()
    if way == "stream":
        found = cursor.stream("SELECT generate_series(1, 1000)")
        next(found)
        return found
    copy = cursor.copy("COPY (SELECT generate_series(1, 1000)) TO STDOUT")
    copy.__enter__()
    return copy


class TestPromise04OneThread:
    def test_use_from_another_thread_is_refused_by_name(self, make_notes: MakeNotes):
        caught: list[BaseException] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(ONE)

            def use() -> None:
                try:
                    request.dbsession.execute(ONE)
                except BaseException as exc:  # noqa: BLE001 - handed to the test
                    caught.append(exc)

            thread = threading.Thread(target=use)
            thread.start()
            thread.join()
            return Response()

        make_notes(view).client.get("/notes")

        assert [type(exc) for exc in caught] == [errors.SessionThread]
        assert "the request GET /notes" in str(caught[0])


class TestPromise05NeverOutsideTheTween:
    def test_a_tween_above_the_transaction_is_refused_at_once_and_nothing_is_checked_out(self, make_notes: MakeNotes):
        def configure(config: Configurator) -> None:
            config.add_tween(f"{__name__}.early_tween", under=tweens.INGRESS, over="pyramid_tm.tm_tween_factory")

        notes = make_notes(write, configure=configure)

        with pytest.raises(errors.SessionOutsideTransaction, match="the request GET /notes"):
            notes.client.get("/notes")
        assert notes.checked_out() == 0

    def test_a_request_without_the_router_is_refused_at_once(self, make_notes: MakeNotes):
        notes = make_notes(write)
        request = Request.blank("/notes")
        request.registry = notes.client.app.registry
        apply_request_extensions(request)

        with pytest.raises(errors.SessionOutsideTransaction):
            request.dbsession  # noqa: B018 - the use under test
        assert notes.checked_out() == 0


def early_tween(_handler: Callable[[Request], Response], _registry: object) -> Callable[[Request], Response]:
    def early(request: Request) -> Response:
        request.dbsession.execute(ONE)
        return Response()

    return early
