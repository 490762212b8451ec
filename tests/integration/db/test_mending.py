"""What is done between two attempts, in units of work of its own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response

from myapp.db.afterwards import Units
from tests.integration.db.conftest import MakeNotes, ServerError

# One attempt each is what these tests count.
pytestmark = pytest.mark.not_for("faults")

WRITE = sa.text("INSERT INTO notes (id, text) VALUES (:id, :text)")
COUNT = sa.text("SELECT count(*) FROM notes")


class TestMending:
    def test_holds_nothing_of_the_attempt_and_is_there_for_the_next(self, make_notes: MakeNotes):
        held: list[int] = []

        def view(request: Request) -> Response:
            if request.dbsession.scalar(COUNT):
                return Response("found")
            request.dbsession.execute(WRITE, {"id": 1, "text": "undone"})
            refusal = ServerError("nothing there")
            request.db_mend(refusal, mend)
            raise refusal

        def mend(units: Units) -> None:
            held.append(notes.checked_out())
            with units.begin(readonly=False) as session:
                session.execute(WRITE, {"id": 2, "text": "mended"})

        # With a pool of one it would wait for the attempt if that held anything.
        notes = make_notes(view, **{"db.pool_size": "1"})

        assert notes.client.post("/notes").text == "found"
        assert notes.texts() == ["mended"]
        assert held == [0]

    def test_is_not_done_for_another_error_nor_where_no_attempt_is_left(self, make_notes: MakeNotes):
        mended: list[str] = []

        def other(request: Request) -> Response:
            request.db_mend(ServerError("what was to be mended"), lambda _units: mended.append("other"))
            raise ServerError("another")

        def last(request: Request) -> Response:
            refusal = ServerError("the last")
            request.db_mend(refusal, lambda _units: mended.append("last"))
            raise refusal

        assert make_notes(other).client.post("/notes", status=500).text == "ServerError: another"
        assert make_notes(last, db={"retry": 1}).client.post("/notes", status=500).text == "ServerError: the last"
        assert mended == []

    def test_that_fails_leaves_the_answer_to_the_next_attempt(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(1)
            refusal = ServerError("still nothing")
            request.db_mend(refusal, mend)
            raise refusal

        def mend(units: Units) -> None:
            with units.begin(readonly=False) as session:
                session.execute(WRITE, {"id": 1, "text": "undone"})
                session.execute(sa.text("no SQL"))

        notes = make_notes(view, **{"retry.attempts": "2", "retry.backoff_seconds": "0"})

        assert notes.client.post("/notes", status=500).text == "ServerError: still nothing"
        assert len(attempts) == 2
        assert notes.texts() == []
