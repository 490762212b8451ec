"""SESSION promise 22: what is called after the commit is called only then, and never fails the request."""

from __future__ import annotations

import logging

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors, sandbox, scope
from tests.integration.db.conftest import MakeNotes, NotesApp, ServerError

WRITE = sa.text("INSERT INTO notes (id, text, parent_id) VALUES (:id, :text, :parent)")


def write(request: Request, number: int = 1, *, parent: int | None = None) -> None:
    request.dbsession.execute(WRITE, {"id": number, "text": str(number), "parent": parent})


class TestPromise22AfterCommit:
    def test_calls_back_in_order_once_the_work_is_committed(self, make_notes: MakeNotes):
        called: list[tuple[str, list[str]]] = []

        def view(request: Request) -> Response:
            write(request)
            for name in ("first", "second"):
                request.after_commit(lambda name=name: called.append((name, notes.texts())))
            assert called == []
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert called == [("first", ["1"]), ("second", ["1"])]

    @pytest.mark.parametrize("ending", ["returned 404", "raised 404", "exception", "doomed", "failed commit"])
    def test_calls_nobody_back_without_a_commit(self, make_notes: MakeNotes, ending: str):
        called: list[str] = []

        def view(request: Request) -> Response:
            request.after_commit(lambda: called.append(ending))
            write(request, parent=404 if ending == "failed commit" else None)
            if ending == "raised 404":
                raise HTTPNotFound
            if ending == "exception":
                raise ServerError
            if ending == "doomed":
                request.tm.doom()
            return Response(status=404 if ending == "returned 404" else 200)

        notes = make_notes(view)
        notes.client.post("/notes", status="*")

        assert called == []
        assert notes.texts() == []

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_calls_back_after_a_read_and_after_a_redirect_as_well(self, make_notes: MakeNotes, method: str):
        called: list[str] = []

        def view(request: Request) -> Response:
            request.after_commit(lambda: called.append(request.method))
            if request.method == "POST":
                raise HTTPFound("/elsewhere")
            return Response()

        getattr(make_notes(view).client, method)("/notes", status="*")

        assert called == [method.upper()]

    @pytest.mark.parametrize("phase", ["view", "commit"])
    def test_calls_back_for_the_attempt_that_succeeded_alone(self, make_notes: MakeNotes, phase: str):
        called: list[int] = []

        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"]
            request.after_commit(lambda: called.append(attempt))
            write(request)
            if attempt < 2:
                if phase == "view":
                    raise errors.Conflict("somebody was faster")
                request.tm.get().addBeforeCommitHook(fail)
            return Response()

        def fail() -> None:
            raise errors.Conflict("somebody was faster")

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert called == [2]
        assert notes.texts() == ["1"]

    def test_a_failing_callback_is_logged_with_its_request_and_fails_nothing(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture
    ):
        called: list[str] = []

        def explode() -> None:
            raise ServerError

        def view(request: Request) -> Response:
            write(request)
            request.after_commit(explode)
            request.after_commit(lambda: called.append("the next one"))
            return Response("written")

        def configure(config: Configurator) -> None:
            config.add_request_method(lambda request: "id-of-the-request", "request_id", reify=True)

        notes = make_notes(view, configure=configure)
        with caplog.at_level(logging.ERROR):
            assert notes.client.post("/notes", status=200).text == "written"

        assert called == ["the next one"]
        assert notes.texts() == ["1"]
        (record,) = caplog.records
        assert "explode" in record.message
        assert "POST /notes (id id-of-the-request)" in record.message
        assert record.exc_info is not None
        assert record.exc_info[0] is ServerError

    def test_a_callback_may_open_a_session_of_its_own_with_a_pool_of_one(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            write(request)

            def write_more() -> None:
                with scope.session_scope(request.registry["db.sessions"]) as session:
                    session.execute(WRITE, {"id": 2, "text": "2", "parent": 1})

            request.after_commit(write_more)
            return Response()

        # Were the request's connection not given back by then, this would be refused.
        notes = make_notes(view, **{"db.pool_size": "1", "db.waiting_max": "0"})
        notes.client.post("/notes", status=200)

        assert notes.texts() == ["1", "2"]
        assert notes.checked_out() == 0

    def test_a_callback_cannot_use_the_requests_own_session(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture
    ):
        def view(request: Request) -> Response:
            write(request)
            request.after_commit(lambda: write(request, 2))
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert notes.texts() == ["1"]
        assert "SessionEnded" in caplog.text

    def test_a_callback_may_ask_for_another_one(self, make_notes: MakeNotes):
        called: list[str] = []

        def view(request: Request) -> Response:
            request.after_commit(lambda: request.after_commit(lambda: called.append("another")))
            return Response()

        make_notes(view).client.post("/notes", status=200)

        assert called == ["another"]

    def test_is_refused_where_no_transaction_is_under_way(self, make_notes: MakeNotes):
        refused: list[errors.SessionMisuse] = []

        def view(request: Request) -> Response:
            request.add_finished_callback(ask_too_late)
            return Response()

        def ask_too_late(request: Request) -> None:
            with pytest.raises(errors.SessionOutsideTransaction, match="POST /notes") as refusal:
                request.after_commit(lambda: None)
            refused.append(refusal.value)

        make_notes(view).client.post("/notes", status=200)

        assert refused

    def test_runs_in_a_sandbox_as_well(self, make_notes: MakeNotes):
        notes: NotesApp
        seen: list[list[str]] = []

        def view(request: Request) -> Response:
            write(request)

            def look() -> None:
                with scope.session_scope(request.registry["db.sessions"], readonly=True) as session:
                    seen.append(list(session.scalars(sa.text("SELECT text FROM notes"))))

            request.after_commit(look)
            return Response(status=500 if "fail" in request.params else 200)

        notes = make_notes(view)
        with sandbox.sandbox(notes.engine) as sessions:
            notes.client.app.registry["db.sessions"] = sessions
            notes.client.post("/notes?fail=1", status=500)
            notes.client.post("/notes", status=200)

        assert seen == [["1"]]
        assert notes.texts() == []
