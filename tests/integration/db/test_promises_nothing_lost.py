"""SESSION promises 6 to 9: what succeeded is there, what failed is gone, reads cannot write, commit comes first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from pyramid import httpexceptions
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy.orm import Session

from myapp.db import errors
from tests.integration.db.conftest import MakeNotes, Note, ServerError

INSERT = sa.text("INSERT INTO notes (id, text) VALUES (1, 'written')")


def write_nested(session: Session) -> None:
    with session.begin_nested():
        session.execute(INSERT)


WRITES: dict[str, Callable[[Session], object]] = {
    "ORM object, never flushed": lambda session: session.add(Note(id=1, text="written")),
    "ORM flush": lambda session: (session.add(Note(id=1, text="written")), session.flush()),
    "Core insert": lambda session: session.execute(sa.insert(Note.__table__).values(id=1, text="written")),
    "ORM bulk insert": lambda session: session.execute(sa.insert(Note), [{"id": 1, "text": "written"}]),
    "bulk_insert_mappings": lambda session: session.bulk_insert_mappings(Note, [{"id": 1, "text": "written"}]),
    "text()": lambda session: session.execute(INSERT),
    "connection().execute": lambda session: session.connection().execute(INSERT),
    "driver SQL": lambda session: session.connection().exec_driver_sql(str(INSERT)),
    "in begin_nested()": write_nested,
}


def write_and(ending: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def view(request: Request) -> Response:
        request.dbsession.execute(INSERT)
        return ending(request)

    return view


def raising(exc: BaseException) -> Callable[[Request], Response]:
    def view(_request: Request) -> Response:
        raise exc

    return view


class TestPromise06EveryWriteOfASuccessfulRequestCommits:
    @pytest.mark.parametrize("write", WRITES)
    def test_whatever_made_it(self, make_notes: MakeNotes, write: str):
        def view(request: Request) -> Response:
            WRITES[write](request.dbsession)
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert notes.texts() == ["written"]

    def test_a_writing_cte_on_postgresql(self, make_notes: MakeNotes, dialect: str):
        statement = "INSERT INTO notes (id, text) VALUES (1, 'written') RETURNING id"
        if dialect == "postgresql":
            statement = f"WITH made AS ({statement}) SELECT id FROM made"

        def view(request: Request) -> Response:
            return Response(str(request.dbsession.scalar(sa.text(statement))))

        notes = make_notes(view)

        assert notes.client.post("/notes").text == "1"
        assert notes.texts() == ["written"]

    @pytest.mark.parametrize(
        "ending",
        [
            lambda request: Response(status=201),
            lambda request: httpexceptions.HTTPFound("/elsewhere"),
            raising(httpexceptions.HTTPFound("/elsewhere")),
            raising(httpexceptions.HTTPNoContent()),
        ],
        ids=["201 returned", "302 returned", "302 raised", "204 raised"],
    )
    def test_whether_its_response_was_returned_or_raised(self, make_notes: MakeNotes, ending: Any):
        notes = make_notes(write_and(ending), catch_all=False)
        notes.client.post("/notes")

        assert notes.texts() == ["written"]


class TestPromise07EveryWriteOfAFailedRequestIsGone:
    @pytest.mark.parametrize(
        "ending",
        [
            lambda request: Response(status=400),
            lambda request: httpexceptions.HTTPConflict(),
            lambda request: Response(status=500),
            raising(httpexceptions.HTTPNotFound()),
            raising(httpexceptions.HTTPServiceUnavailable()),
            raising(ServerError("broken")),
        ],
        ids=["400 returned", "409 returned", "500 returned", "404 raised", "503 raised", "exception raised"],
    )
    @pytest.mark.parametrize("catch_all", [True, False], ids=["exception view", "no exception view"])
    def test_whether_its_response_was_returned_or_raised(self, make_notes: MakeNotes, ending: Any, catch_all: bool):
        notes = make_notes(write_and(ending), catch_all=catch_all)
        try:
            response = notes.client.post("/notes", status="*")
            assert response.status_int >= 400
        except ServerError:
            assert not catch_all

        assert notes.texts() == []

    def test_an_exception_answered_with_200_has_failed_all_the_same(self, make_notes: MakeNotes):
        def configure(config: Any) -> None:
            config.add_exception_view(lambda exc, request: Response("sorry"), context=Exception)

        notes = make_notes(write_and(raising(ServerError("broken"))), catch_all=False, configure=configure)

        assert notes.client.post("/notes", status=200).text == "sorry"
        assert notes.texts() == []

    def test_a_doomed_request_leaves_nothing_though_it_answers_200(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            request.tm.doom()
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes", status=200)

        assert notes.texts() == []


class TestPromise08ReadsCannotWrite:
    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_a_write_in_a_read_fails_loudly(self, make_notes: MakeNotes, write: str, method: str):
        def view(request: Request) -> Response:
            WRITES[write](request.dbsession)
            return Response()

        notes = make_notes(view)
        response = notes.client.request("/notes", method=method, status=500)

        assert response.status_int == 500
        assert notes.texts() == []

    def test_a_view_may_declare_that_it_writes_or_that_it_only_reads(self, make_notes: MakeNotes):
        writes = make_notes(write_and(lambda request: Response()), db={"readonly": False})
        writes.client.get("/notes", status=200)
        assert writes.texts() == ["written"]

        reads = make_notes(write_and(lambda request: Response()), db={"readonly": True})
        reads.client.post("/notes", status=500)

    def test_a_read_leaves_no_connection_that_cannot_write(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            if request.method == "POST":
                request.dbsession.execute(INSERT)
            return Response(str(request.dbsession.scalar(sa.text("SELECT count(*) FROM notes"))))

        notes = make_notes(view)
        for method, count in [("GET", "0"), ("POST", "1"), ("GET", "1")]:
            assert notes.client.request("/notes", method=method).text == count


class TestPromise09TheCommitComesFirst:
    def test_a_failed_commit_is_never_a_success(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.add(Note(id=2, text="orphan", parent_id=404))
            return Response(status=201)

        notes = make_notes(view)
        response = notes.client.post("/notes", status=500)

        assert "IntegrityError" in response.text
        assert notes.texts() == []

    def test_the_response_starts_after_the_commit(self, make_notes: MakeNotes):
        events: list[str] = []
        notes = make_notes(write_and(lambda request: Response()))
        sa.event.listen(notes.engine, "commit", lambda connection: events.append("commit"))
        sa.event.listen(notes.engine, "checkin", lambda *args: events.append("connection returned"))
        environ = Request.blank("/notes", method="POST").environ

        notes.client.app(environ, lambda *args: events.append("response starts"))

        assert events == ["commit", "connection returned", "response starts"]

    def test_work_undone_by_a_swallowed_error_is_never_a_success(self, make_notes: MakeNotes, dialect: str):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            with suppress(sa.exc.IntegrityError):
                request.dbsession.execute(INSERT)
            if dialect == "sqlite":
                # What disk full or an input/output error does: SQLite itself ends the transaction.
                request.dbsession.connection().exec_driver_sql("ROLLBACK")
            return Response(status=201)

        notes = make_notes(view)
        response = notes.client.post("/notes", status=500)

        assert errors.UnitOfWorkAborted.__name__ in response.text
        assert notes.texts() == []

    @pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
    def test_work_that_sql_text_has_ended_is_never_a_success(self, make_notes: MakeNotes, end: str):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            request.dbsession.execute(sa.text(end))
            return Response(status=201)

        response = make_notes(view).client.post("/notes", status=500)

        assert errors.UnitOfWorkAborted.__name__ in response.text

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_can_be_written_after_sql_text_has_ended_the_work(self, make_notes: MakeNotes, method: str):
        def view(request: Request) -> Response:
            request.dbsession.execute(sa.text("SELECT 1"))
            request.dbsession.execute(sa.text("ROLLBACK"))
            request.dbsession.execute(INSERT)
            return Response(status=201)

        notes = make_notes(view)
        response = notes.client.request("/notes", method=method, status=500)

        assert errors.UnitOfWorkAborted.__name__ in response.text
        assert notes.texts() == []

    def test_a_connection_that_ran_nothing_has_nothing_to_lose(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.connection()
            if "fail" in request.params:
                request.dbsession.execute(sa.text("SELECT 1"))
                raise ServerError
            return Response()

        notes = make_notes(view)
        notes.client.post("/notes?fail", status=500)
        notes.client.post("/notes", status=200)

    def test_a_view_that_commits_by_itself_is_refused(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            getattr(request.dbsession, request.params["end"])()
            return Response()

        notes = make_notes(view)
        for end in ("commit", "rollback"):
            response = notes.client.post("/notes", {"end": end}, status=500)
            assert errors.SessionOwned.__name__ in response.text
        assert notes.texts() == []

    def test_a_view_that_commits_on_its_connection_is_refused(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            with request.dbsession.begin_nested():
                request.dbsession.execute(INSERT)
            request.dbsession.connection().commit()
            return Response()

        notes = make_notes(view)

        assert errors.SessionOwned.__name__ in notes.client.post("/notes", status=500).text
        assert notes.texts() == []

    def test_a_view_that_commits_its_transaction_is_refused(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            request.dbsession.get_transaction().commit()
            return Response()

        notes = make_notes(view)

        assert errors.SessionOwned.__name__ in notes.client.post("/notes", status=500).text
        assert notes.texts() == []
