"""SESSION promises 20 and 23: sessions for scripts, and tests on the real path."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response
from pyramid.scripting import prepare

from myapp.db import errors, sandbox, scope
from tests.integration.db.conftest import MakeNotes, Note, NotesApp, ServerError

INSERT = sa.text("INSERT INTO notes (id, text) VALUES (1, 'written')")


@pytest.fixture
def notes(make_notes: MakeNotes) -> NotesApp:
    return make_notes(write_and_count)


def write_and_count(request: Request) -> Response:
    if request.method == "POST":
        request.dbsession.execute(INSERT)
    if "fail" in request.params:
        raise ServerError
    return Response(str(request.dbsession.scalar(sa.text("SELECT count(*) FROM notes"))))


class TestPromise20SessionScope:
    def test_commits_at_the_end(self, notes: NotesApp):
        with scope.session_scope(notes.sessions) as session:
            session.execute(INSERT)
            assert notes.texts() == []

        assert notes.texts() == ["written"]

    def test_rolls_back_on_error_and_closes(self, notes: NotesApp):
        with pytest.raises(ServerError), scope.session_scope(notes.sessions) as session:
            session.execute(INSERT)
            raise ServerError

        assert notes.texts() == []
        assert notes.checked_out() == 0

    def test_closes_after_a_failed_commit(self, notes: NotesApp):
        with pytest.raises(sa.exc.IntegrityError), scope.session_scope(notes.sessions) as session:
            session.add(Note(id=2, text="orphan", parent_id=404))

        assert notes.checked_out() == 0
        with scope.session_scope(notes.sessions) as session:
            session.execute(INSERT)
        assert notes.texts() == ["written"]

    def test_takes_no_connection_before_the_first_statement(self, notes: NotesApp):
        with scope.session_scope(notes.sessions):
            assert notes.checked_out() == 0

    def test_a_read_only_scope_cannot_write(self, notes: NotesApp):
        with pytest.raises(sa.exc.DBAPIError), scope.session_scope(notes.sessions, readonly=True) as session:
            session.execute(INSERT)

        assert notes.texts() == []

    def test_is_dead_after_the_block_and_says_whose_it_was(self, notes: NotesApp):
        with scope.session_scope(notes.sessions, owner="the nightly job") as session:
            pass

        with pytest.raises(errors.SessionEnded, match="the nightly job"):
            session.execute(INSERT)

    def test_discarded_work_is_undone_and_the_rest_kept(self, notes: NotesApp):
        with scope.session_scope(notes.sessions) as session:
            session.execute(INSERT)
            with scope.discarded(session):
                session.execute(sa.text("UPDATE notes SET text = 'tried'"))

        assert notes.texts() == ["written"]


class TestPromise23TestsOnTheRealPath:
    def test_the_real_tween_commits_and_aborts_inside_the_sandbox(self, notes: NotesApp, statements: list[str]):
        registry = notes.client.app.registry
        with sandbox.sandbox(notes.engine) as sessions:
            registry["db.sessions"] = sessions
            assert notes.client.post("/notes").text == "1"
            notes.client.post("/notes?fail", status=500)
            assert notes.client.get("/notes").text == "1"
        registry["db.sessions"] = notes.sessions

        assert notes.texts() == []
        assert notes.checked_out() == 0

    def test_a_write_in_a_read_is_refused_in_the_sandbox_too(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.dbsession.execute(INSERT)
            return Response()

        notes = make_notes(view)
        registry = notes.client.app.registry
        with sandbox.sandbox(notes.engine) as sessions:
            registry["db.sessions"] = sessions
            notes.client.get("/notes", status=500)
            notes.client.post("/notes", status=200)
        registry["db.sessions"] = notes.sessions

    def test_one_database_error_does_not_poison_what_follows(self, notes: NotesApp):
        registry = notes.client.app.registry
        with sandbox.sandbox(notes.engine) as sessions:
            registry["db.sessions"] = sessions
            notes.client.post("/notes", status=200)
            notes.client.post("/notes", status=500)
            assert notes.client.get("/notes").text == "1"
        registry["db.sessions"] = notes.sessions


class TestARequestWithoutAServer:
    """What `pyramid.scripting.prepare` gives a script or a shell."""

    def test_has_a_session_like_any_other(self, notes: NotesApp):
        with prepare(registry=notes.client.app.registry) as environment:
            request = environment["request"]
            with request.tm:
                assert request.dbsession.scalar(sa.text("SELECT 1")) == 1

        assert notes.checked_out() == 0
