"""An answer that is made after the request's own unit of work, in units of work of its own."""

from __future__ import annotations

import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors
from myapp.db.afterwards import Units
from tests.integration.db.conftest import MakeNotes, ServerError

WRITE = sa.text("INSERT INTO notes (id, text) VALUES (1, 'written')")
COUNT = sa.text("SELECT count(*) FROM notes")


class TestAfterwards:
    def test_writes_and_reads_in_turn_and_holds_nothing_in_between(self, make_notes: MakeNotes):
        held: list[int] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(COUNT)
            return request.db_afterwards(answer)

        def answer(units: Units) -> Response:
            held.append(notes.checked_out())
            with units.begin(readonly=False) as session:
                session.execute(WRITE)
            held.append(notes.checked_out())
            with units.begin(readonly=True) as session:
                return Response(str(session.scalar(COUNT)))

        # With a pool of one it would wait for itself if it held anything.
        notes = make_notes(view, **{"db.pool_size": "1"})

        assert notes.client.get("/notes").text == "1"
        assert notes.texts() == ["written"]
        assert held == [0, 0]

    def test_is_answered_as_a_failed_view_where_it_fails(self, make_notes: MakeNotes):
        def answer(units: Units) -> Response:
            with units.begin(readonly=False) as session:
                session.execute(WRITE)
                raise ServerError("no")

        notes = make_notes(lambda request: request.db_afterwards(answer))

        assert notes.client.get("/notes", status=500).text == "ServerError: no"
        assert notes.texts() == []
        assert notes.checked_out() == 0

    def test_is_repeated_where_others_are_in_the_way(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def answer(_units: Units) -> Response:
            attempts.append(1)
            if len(attempts) == 1:
                raise errors.Conflict("once")
            return Response("done")

        notes = make_notes(lambda request: request.db_afterwards(answer), **{"retry.backoff_seconds": "0"})

        assert notes.client.get("/notes").text == "done"
        assert len(attempts) == 2

    def test_is_not_made_for_a_view_that_fails(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            request.db_afterwards(lambda _units: Response("never"))
            raise ServerError("no")

        assert make_notes(view).client.get("/notes", status=500).text == "ServerError: no"

    def test_reads_cannot_write(self, make_notes: MakeNotes):
        def answer(units: Units) -> Response:
            with units.begin(readonly=True) as session:
                session.execute(WRITE)
            return Response("written")

        notes = make_notes(lambda request: request.db_afterwards(answer))

        assert notes.client.get("/notes", status=500).text != "written"
        assert notes.texts() == []

    def test_is_refused_to_a_request_that_may_write(self, make_notes: MakeNotes):
        notes = make_notes(lambda request: request.db_afterwards(lambda _units: Response()))

        answer = notes.client.post("/notes", status=500)

        assert answer.text.startswith("SessionMisuse: request.db_afterwards() was called")
