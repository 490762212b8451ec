"""SESSION promise 11, its mechanism: conflicts are retried at every phase, with exception views and a veto in place.

Every conflict here is a real one, made by a second connection at the right moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy.engine import Engine

from myapp.db import errors
from myapp.db.unit import Unit
from tests.integration.db.conftest import MakeNotes, Note, NotesApp

COUNT = sa.text("SELECT count(*) FROM notes")
WRITE = sa.text("INSERT INTO notes (id, text) VALUES (:id, :text)")
UPDATE = sa.text("UPDATE notes SET text = 'mine' WHERE id = 1")

SERIALIZABLE = {"isolation": "SERIALIZABLE"}


# Each database has conflicts that the other does not know.
only_on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
only_on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def in_every_surrounding(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with and without exception views, and with and without a commit veto."""
    test = pytest.mark.parametrize("catch_all", [True, False], ids=["exception view", "no exception view"])(test)
    return pytest.mark.parametrize("veto", [True, False], ids=["veto", "no veto"])(test)


def with_or_without(veto: bool) -> Callable[[Configurator], None]:
    def configure(config: Configurator) -> None:
        if not veto:
            config.get_settings()["tm.commit_veto"] = None

    return configure


def interfere(engine: Engine, statement: str) -> None:
    with engine.begin() as other:
        other.exec_driver_sql(statement)


def skewed(request: Request) -> None:
    """Read what the other unit of work writes and write what it reads: one of the two must fail."""
    request.dbsession.execute(COUNT)
    if request.environ["retry.attempt"] == 0:
        with request.registry["db.engine"].connect().execution_options(db_unit=Unit(isolation="SERIALIZABLE")) as other:
            other.execute(COUNT)
            other.execute(WRITE, {"id": 1, "text": "other"})
            other.commit()


def at_commit(request: Request) -> Response:
    skewed(request)
    request.dbsession.execute(WRITE, {"id": 2, "text": request.text})
    return Response(str(request.environ["retry.attempt"] + 1))


def in_view(request: Request) -> Response:
    request.dbsession.execute(COUNT)
    if request.environ["retry.attempt"] == 0:
        interfere(request.registry["db.engine"], "UPDATE notes SET text = 'theirs' WHERE id = 1")
    request.dbsession.execute(UPDATE)
    return Response(str(request.environ["retry.attempt"] + 1))


def at_flush(request: Request) -> Response:
    note = request.dbsession.get_one(Note, 1)
    if request.environ["retry.attempt"] == 0:
        interfere(request.registry["db.engine"], "UPDATE notes SET text = 'theirs' WHERE id = 1")
    note.text = "mine"
    return Response(str(request.environ["retry.attempt"] + 1))


def wait_until_somebody_waits(engine: Engine) -> None:
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE notes%'"
    )
    deadline = time.monotonic() + 10
    with engine.connect() as connection:
        while connection.scalar(waiting) == 0 and time.monotonic() < deadline:
            time.sleep(0.01)


def add_first_note(notes: NotesApp) -> None:
    with notes.engine.begin() as connection:
        connection.execute(WRITE, {"id": 1, "text": "first"})


PHASES: dict[str, Callable[[Request], Response]] = {"view": in_view, "flush": at_flush}


class TestPromise11RetriedAtEveryPhase:
    @only_on_postgresql
    @pytest.mark.parametrize("phase", PHASES)
    @in_every_surrounding
    def test_a_serialization_failure_before_commit(
        self, make_notes: MakeNotes, dialect: str, phase: str, catch_all: bool, veto: bool
    ):
        notes = make_notes(PHASES[phase], db=SERIALIZABLE, catch_all=catch_all, configure=with_or_without(veto))
        add_first_note(notes)

        assert notes.client.post("/notes").text == "2"
        assert notes.texts() == ["mine"]
        assert notes.checked_out() == 0

    @only_on_postgresql
    @in_every_surrounding
    def test_a_serialization_failure_in_commit_replays_the_body(
        self, make_notes: MakeNotes, dialect: str, catch_all: bool, veto: bool
    ):
        notes = make_notes(at_commit, db=SERIALIZABLE, catch_all=catch_all, configure=with_or_without(veto))

        assert notes.client.post("/notes", "a body").text == "2"
        assert notes.texts() == ["a body", "other"]

    @only_on_postgresql
    @in_every_surrounding
    def test_a_deadlock(self, make_notes: MakeNotes, dialect: str, catch_all: bool, veto: bool):
        threads: list[threading.Thread] = []

        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"]
            # Who has waited this long for a lock looks for deadlocks; the other waits longer, so this one is refused.
            request.dbsession.execute(sa.text("SET LOCAL deadlock_timeout = '50ms'"))
            request.dbsession.execute(UPDATE)
            if attempt == 0:
                other = request.registry["db.engine"].connect()
                other.exec_driver_sql("SET LOCAL deadlock_timeout = '10s'")
                other.exec_driver_sql("UPDATE notes SET text = 'theirs' WHERE id = 2")
                threads.append(threading.Thread(target=finish, args=(other,)))
                threads[0].start()
                wait_until_somebody_waits(notes.engine)
            request.dbsession.execute(sa.text("UPDATE notes SET text = 'mine' WHERE id = 2"))
            return Response(str(attempt + 1))

        def finish(other: sa.Connection) -> None:
            other.exec_driver_sql("UPDATE notes SET text = 'theirs' WHERE id = 1")
            other.commit()
            other.close()

        notes = make_notes(view, catch_all=catch_all, configure=with_or_without(veto))
        add_first_note(notes)
        interfere(notes.engine, "INSERT INTO notes (id, text) VALUES (2, 'second')")

        assert notes.client.post("/notes").text == "2"
        threads[0].join()
        assert notes.texts() == ["mine", "mine"]

    @only_on_postgresql
    def test_a_connection_that_died_hides_no_refusal(
        self, make_notes: MakeNotes, dialect: str, caplog: pytest.LogCaptureFixture
    ):
        def view(request: Request) -> Response:
            process = request.dbsession.scalar(sa.text("SELECT pg_backend_pid()"))
            interfere(request.registry["db.engine"], f"SELECT pg_terminate_backend({process}, 5000)")
            return Response("no", status=409)

        notes = make_notes(view)

        assert notes.client.post("/notes", status=409).text == "no"
        assert notes.checked_out() == 0
        assert not [record for record in caplog.records if record.exc_info]

    @only_on_postgresql
    def test_a_connection_that_died_before_commit(self, make_notes: MakeNotes, dialect: str):

        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"]
            request.dbsession.execute(WRITE, {"id": 1, "text": "once"})
            if attempt == 0:
                process = request.dbsession.scalar(sa.text("SELECT pg_backend_pid()"))
                interfere(request.registry["db.engine"], f"SELECT pg_terminate_backend({process})")
            request.dbsession.execute(COUNT)
            return Response(str(attempt + 1))

        notes = make_notes(view)

        assert notes.client.post("/notes").text == "2"
        assert notes.texts() == ["once"]
        assert notes.checked_out() == 0

    @only_on_sqlite
    @pytest.mark.parametrize("phase", ["view", "flush"])
    @in_every_surrounding
    def test_a_busy_sqlite(self, make_notes: MakeNotes, dialect: str, phase: str, catch_all: bool, veto: bool):
        blockers: list[sa.Connection] = []

        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"]
            if attempt == 1:
                blockers[0].rollback()
            if phase == "view":
                request.dbsession.execute(WRITE, {"id": 1, "text": "mine"})
            else:
                request.dbsession.add(Note(id=1, text="mine"))
            return Response(str(attempt + 1))

        notes = make_notes(
            view, catch_all=catch_all, configure=with_or_without(veto), **{"db.busy_timeout_seconds": "0.1"}
        )
        with notes.engine.connect() as blocker:
            blocker.execute(COUNT)
            blockers.append(blocker)
            assert notes.client.post("/notes").text == "2"

        assert notes.texts() == ["mine"]

    def test_a_conflict_that_the_application_found_itself(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"]
            request.dbsession.execute(WRITE, {"id": 1, "text": "mine"})
            if attempt == 0:
                raise errors.Conflict("somebody was faster")
            return Response(str(attempt + 1))

        notes = make_notes(view)

        assert notes.client.post("/notes").text == "2"
        assert notes.texts() == ["mine"]

    def test_gives_up_after_the_attempts_of_the_setting(self, make_notes: MakeNotes, dialect: str):
        attempts: list[int] = []
        notes = make_notes(always_in_conflict(dialect, attempts), **FAST)
        with blocked(notes, dialect):
            response = notes.client.post("/notes", status=500)

        assert attempts == [0, 1, 2]
        assert "OperationalError" in response.text
        assert notes.checked_out() == 0

    def test_not_when_the_view_says_once(self, make_notes: MakeNotes, dialect: str):
        attempts: list[int] = []
        notes = make_notes(always_in_conflict(dialect, attempts), db={"retry": 1}, **FAST)
        with blocked(notes, dialect):
            notes.client.post("/notes", status=500)

        assert attempts == [0]

    @only_on_postgresql
    @pytest.mark.parametrize("catch_all", [True, False], ids=["exception view", "no exception view"])
    @pytest.mark.parametrize("phase", ["view", "commit"])
    def test_not_when_the_outcome_is_unknown(self, make_notes: MakeNotes, dialect: str, catch_all: bool, phase: str):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(request.environ["retry.attempt"])
            statement = DOUBT_AT_COMMIT if phase == "commit" else f"DO $$ BEGIN {DOUBT} END $$"
            request.dbsession.connection().exec_driver_sql(statement)
            return Response()

        notes = make_notes(view, catch_all=catch_all)
        with suppress(sa.exc.OperationalError):
            notes.client.post("/notes", status=500)

        assert attempts == [0]
        assert notes.checked_out() == 0

    @only_on_postgresql
    def test_an_unknown_outcome_is_told_from_a_conflict(self, make_notes: MakeNotes, dialect: str):
        def view(request: Request) -> Response:
            request.dbsession.connection().exec_driver_sql(f"DO $$ BEGIN {DOUBT} END $$")
            return Response()

        notes = make_notes(view, catch_all=False)
        with pytest.raises(sa.exc.OperationalError) as caught:
            notes.client.post("/notes")

        assert isinstance(errors.translate(caught.value), errors.OutcomeUnknown)

    def test_not_for_an_error_that_a_repeat_cannot_mend(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(request.environ["retry.attempt"])
            request.dbsession.execute(WRITE, {"id": 1, "text": "twice"})
            request.dbsession.execute(WRITE, {"id": 1, "text": "twice"})
            return Response()

        make_notes(view).client.post("/notes", status=500)

        assert attempts == [0]


# 40003 says that the server itself does not know whether the statement took effect.
DOUBT = "RAISE 'nobody knows' USING ERRCODE = '40003';"
DOUBT_AT_COMMIT = f"""
    CREATE TEMPORARY TABLE doubts (id integer) ON COMMIT DROP;
    CREATE FUNCTION pg_temp.doubt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {DOUBT} END $$;
    CREATE CONSTRAINT TRIGGER doubt AFTER INSERT ON doubts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.doubt();
    INSERT INTO doubts VALUES (1);
"""

FAST = {"db.busy_timeout_seconds": "0.05"}


def always_in_conflict(dialect: str, attempts: list[int]) -> Callable[[Request], Response]:
    def view(request: Request) -> Response:
        attempts.append(request.environ["retry.attempt"])
        if dialect == "postgresql":
            # A real 40001 without the choreography of a second connection.
            request.dbsession.execute(sa.text("DO $$ BEGIN RAISE serialization_failure; END $$"))
        request.dbsession.execute(WRITE, {"id": 1, "text": "mine"})
        return Response()

    return view


class blocked:  # noqa: N801 - reads as the statement it is
    """Hold SQLite's one write lock meanwhile."""

    def __init__(self, notes: NotesApp, dialect: str) -> None:
        self._connection = notes.engine.connect() if dialect == "sqlite" else None

    def __enter__(self) -> None:
        if self._connection is not None:
            self._connection.execute(COUNT)

    def __exit__(self, *_exc: object) -> None:
        if self._connection is not None:
            self._connection.close()
