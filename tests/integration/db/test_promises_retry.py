"""SESSION promise 11, its manners: a pause with nothing held, an attempt that leaves no trace, and never too often.

Which errors are repeated, and at which phase, is in test_promises_conflicts.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy.orm import exc as orm_exc

from myapp.db import errors, retry
from myapp.db.limits import admission
from myapp.db.session import UnitOfWorkSession
from tests.integration.db.conftest import MakeNotes, NotesApp

WRITE = sa.text("INSERT INTO notes (id, text) VALUES (1, 'mine')")
BUSY = {"db.busy_timeout_seconds": "0.05"}

with_and_without_exception_view = pytest.mark.parametrize("catch_all", [True, False], ids=["view", "no view"])


def conflict_first(request: Request) -> Response:
    """Write, and be in conflict at the first attempt only."""
    request.dbsession.execute(WRITE)
    if request.environ["retry.attempt"] == 0:
        raise errors.Conflict("somebody was faster")
    return Response(str(request.environ["retry.attempt"] + 1))


def failing_tween(handler: Callable[[Request], Response], _registry: object) -> Callable[[Request], Response]:
    """Fail with something retryable once the request is committed."""

    def failing(request: Request) -> Response:
        handler(request)
        raise errors.Conflict("too late")

    return failing


def holds_nothing(notes: NotesApp) -> bool:
    lines = admission.of(notes.engine)
    taken = [line.taken for line in (lines.connections, lines.writers) if line is not None]
    return notes.checked_out() == 0 and not any(taken)


def subscribed(seen: list[object], kind: type) -> Callable[[Configurator], None]:
    return lambda config: config.add_subscriber(seen.append, kind)


class TestPromise11TheNextAttempt:
    def test_finds_the_request_as_it_was_sent(self, make_notes: MakeNotes):
        def view(request: Request) -> Response:
            # Each of them is used up, or changed, by the attempt that reads it.
            upload = request.POST["file"].file.read()
            seen = (request.environ.get("mine"), request.path_info, upload)
            request.environ["mine"] = "left behind"
            request.path_info_pop()
            conflict_first(request)
            return Response(repr(seen))

        answer = make_notes(view).client.post("/notes", upload_files=[("file", "a.txt", b"all of it")])

        assert answer.text == repr((None, "/notes", b"all of it"))

    @pytest.mark.parametrize("read", ["body", "body_file", "wsgi.input"])
    def test_can_read_the_body_again(self, make_notes: MakeNotes, read: str):
        def view(request: Request) -> Response:
            streams = {"body_file": request.body_file, "wsgi.input": request.environ["wsgi.input"]}
            body = request.body if read == "body" else streams[read].read()
            conflict_first(request)
            return Response(body)

        assert make_notes(view).client.post("/notes", b"all of it").text == "all of it"

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    @with_and_without_exception_view
    def test_follows_a_conflict_that_only_the_driver_saw(self, make_notes: MakeNotes, dialect: str, catch_all: bool):
        def view(request: Request) -> Response:
            if request.environ["retry.attempt"] == 0:
                conflict = "DO $$ BEGIN RAISE 'in the way' USING ERRCODE = '40001'; END $$"
                request.dbsession.connection().connection.driver_connection.execute(conflict)
            request.dbsession.execute(WRITE)
            return Response()

        notes = make_notes(view, catch_all=catch_all)
        notes.client.post("/notes", status=200)

        assert notes.texts() == ["mine"]

    @pytest.mark.parametrize("uses", ["the session", "no session"])
    def test_is_none_once_a_callback_was_called(self, make_notes: MakeNotes, uses: str):
        called: list[int] = []

        def view(request: Request) -> Response:
            def rows(_session: UnitOfWorkSession) -> Iterator[bytes]:
                raise errors.Conflict("somebody was faster")
                yield b""

            if uses == "the session":
                request.dbsession.execute(sa.text("SELECT 1"))
            request.after_commit(lambda: called.append(request.environ["retry.attempt"]))
            return Response(app_iter=request.dbstream(rows))

        assert "Conflict" in make_notes(view).client.get("/notes", status=500).text
        assert called == [0]


class TestPromise11TheDiscardedAttempt:
    @with_and_without_exception_view
    def test_is_seen_by_no_response_callback_no_subscriber_and_no_after_commit_callback(
        self, make_notes: MakeNotes, catch_all: bool
    ):
        seen: list[str] = []
        responses: list[NewResponse] = []

        def view(request: Request) -> Response:
            attempt = request.environ["retry.attempt"] + 1
            request.add_response_callback(lambda _request, _response: seen.append(f"response of {attempt}"))
            request.after_commit(lambda: seen.append(f"commit of {attempt}"))
            return conflict_first(request)

        notes = make_notes(view, catch_all=catch_all, configure=subscribed(responses, NewResponse))

        assert notes.client.post("/notes").text == "2"
        assert seen == ["commit of 2", "response of 2"]
        assert [event.response.text for event in responses] == ["2"]

    def test_the_answer_to_the_last_attempt_is_one_like_any_other(self, make_notes: MakeNotes):
        responses: list[NewResponse] = []

        def view(request: Request) -> Response:
            request.dbsession.execute(WRITE)
            raise errors.Conflict("somebody was faster")

        notes = make_notes(view, configure=subscribed(responses, NewResponse))
        answer = notes.client.post("/notes", status=500)

        assert "somebody was faster" in answer.text
        assert [event.response.text for event in responses] == [answer.text]

    @with_and_without_exception_view
    @pytest.mark.parametrize("where", ["response callback", "subscriber", "tween"])
    def test_what_fails_after_the_commit_is_never_a_reason_to_write_again(
        self, make_notes: MakeNotes, catch_all: bool, where: str
    ):
        attempts: list[int] = []

        def fail(*_event: object) -> None:
            raise errors.Conflict("too late")

        def view(request: Request) -> Response:
            attempts.append(request.environ["retry.attempt"])
            if where == "response callback":
                request.add_response_callback(fail)
            request.dbsession.execute(WRITE)
            return Response()

        def configure(config: Configurator) -> None:
            if where == "subscriber":
                config.add_subscriber(fail, NewResponse)
            if where == "tween":
                place = {"under": "myapp.db.request_session.ending_tween", "over": "pyramid_tm.tm_tween_factory"}
                config.add_tween(f"{__name__}.failing_tween", **place)

        notes = make_notes(view, catch_all=catch_all, configure=configure)
        with pytest.raises(errors.Conflict, match="too late"):
            notes.client.post("/notes")

        assert attempts == [0]
        assert notes.texts() == ["mine"]


class TestPromise11ThePause:
    @with_and_without_exception_view
    def test_is_made_with_nothing_held(self, make_notes: MakeNotes, catch_all: bool):
        held: list[bool] = []
        pauses: list[float] = []

        def look(repeated: retry.Repeated) -> None:
            held.append(not holds_nothing(notes))
            pauses.append(repeated.pause_seconds)

        configure = lambda config: config.add_subscriber(look, retry.Repeated)  # noqa: E731
        notes = make_notes(conflict_first, catch_all=catch_all, configure=configure, **{"retry.backoff_seconds": "0.4"})
        began = time.monotonic()
        assert notes.client.post("/notes").text == "2"

        assert held == [False]
        assert pauses[0] <= time.monotonic() - began

    def test_is_not_made_where_the_deadline_leaves_no_room(self, make_notes: MakeNotes):
        attempts: list[int] = []

        def view(request: Request) -> Response:
            attempts.append(request.environ["retry.attempt"])
            request.dbsession.execute(WRITE)
            # Until there is less left than any pause takes.
            time.sleep(max(request.db_deadline.remaining(), 0) + 0.01)
            raise errors.Conflict("somebody was faster")

        notes = make_notes(view, **{"db.deadline_seconds": "1", "retry.backoff_seconds": "60"})
        began = time.monotonic()
        answer = notes.client.post("/notes", status=500)

        assert "somebody was faster" in answer.text
        assert time.monotonic() - began < 5
        assert attempts == [0]

    def test_is_drawn_at_random_up_to_a_bound_that_doubles(self):
        for attempt, bound in enumerate([0.1, 0.2, 0.4, 0.8, 1.0, 1.0]):
            drawn = [retry.pause_seconds(attempt, 0.1) for _ in range(200)]
            assert min(drawn) < bound / 4 < bound * 3 / 4 < max(drawn) <= bound

    def test_is_none_where_the_setting_says_so(self):
        assert retry.pause_seconds(5, 0) == 0


class TestPromise11TheRepeat:
    @pytest.mark.parametrize(
        ("error", "cause"),
        [
            (lambda: errors.Conflict("somebody was faster"), "conflict"),
            (lambda: orm_exc.StaleDataError("no row"), "stale-row"),
        ],
    )
    def test_is_told_with_its_cause(
        self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture, error: Callable[[], Exception], cause: str
    ):
        seen: list[retry.Repeated] = []

        def view(request: Request) -> Response:
            if request.environ["retry.attempt"] == 0:
                raise error()
            return Response()

        notes = make_notes(view, configure=subscribed(seen, retry.Repeated))
        with caplog.at_level(logging.INFO, logger="myapp.db.retry"):
            notes.client.post("/notes", status=200)

        assert [repeated.cause for repeated in seen] == [cause]
        milliseconds = f"{seen[0].pause_seconds * 1000:.1f}"
        line = f"method=POST path=/notes attempt=1 cause={cause} repeated_in_ms={milliseconds}"
        assert line in caplog.messages

    def test_of_a_real_conflict_names_it(self, make_notes: MakeNotes, dialect: str, conflicts: Conflicts):
        seen: list[retry.Repeated] = []
        view, cause = conflicts(dialect)
        notes = make_notes(view, configure=subscribed(seen, retry.Repeated), **BUSY)
        with notes.engine.connect() as other:
            if dialect == "sqlite":
                other.execute(sa.text("SELECT 1"))
            notes.client.post("/notes", status=500)

        assert [repeated.cause for repeated in seen] == [cause, cause]

    def test_keeps_lines_of_the_log_whole(self, make_notes: MakeNotes, caplog: pytest.LogCaptureFixture):
        def configure(config: Configurator) -> None:
            config.add_route("any", "/any*rest")
            config.add_view(conflict_first, route_name="any")

        notes = make_notes(conflict_first, configure=configure)
        with caplog.at_level(logging.INFO, logger="myapp.db.retry"):
            notes.client.post("/any/a%0Db", status=200)

        assert [message for message in caplog.messages if "/any/a%0Db" in message]
        assert not any("\r" in message for message in caplog.messages)


Conflicts = Callable[[str], tuple[Callable[[Request], Response], str]]


@pytest.fixture
def conflicts() -> Conflicts:
    def deadlocked(request: Request) -> Response:
        request.dbsession.execute(sa.text("DO $$ BEGIN RAISE deadlock_detected; END $$"))
        return Response()

    def busy(request: Request) -> Response:
        request.dbsession.execute(WRITE)
        return Response()

    return {"postgresql": (deadlocked, "deadlock"), "sqlite": (busy, "busy")}.__getitem__


@pytest.fixture
def notes(make_notes: MakeNotes) -> Iterator[NotesApp]:
    return make_notes(conflict_first)


class TestPromise20Run:
    """What a script or a worker does as a request would."""

    def test_does_the_work_again_after_a_conflict(self, notes: NotesApp):
        attempts: list[object] = []

        def work(session: sa.orm.Session) -> str:
            attempts.append(session)
            session.execute(WRITE)
            if len(attempts) == 1:
                raise errors.Conflict("somebody was faster")
            return "done"

        assert retry.run(notes.sessions, work) == "done"
        assert len(set(map(id, attempts))) == 2
        assert notes.texts() == ["mine"]
        assert holds_nothing(notes)

    def test_pauses_between_attempts_with_nothing_held(self, notes: NotesApp, monkeypatch: pytest.MonkeyPatch):
        began: list[float] = []
        held: list[bool] = []

        def pause_seconds(attempt: int, _first_seconds: float) -> float:
            held.append(not holds_nothing(notes))
            return [0.2, 0.4][attempt]

        def work(session: sa.orm.Session) -> None:
            began.append(time.monotonic())
            session.execute(WRITE)
            if len(began) <= 2:
                raise errors.Conflict("somebody was faster")

        monkeypatch.setattr(retry, "pause_seconds", pause_seconds)
        retry.run(notes.sessions, work)

        assert began[1] - began[0] >= 0.2
        assert began[2] - began[1] >= 0.4
        assert held == [False, False]

    def test_gives_up_after_so_many_attempts(self, notes: NotesApp):
        attempts: list[object] = []

        def work(session: sa.orm.Session) -> None:
            attempts.append(session)
            raise errors.Conflict("somebody was faster")

        with pytest.raises(errors.Conflict):
            retry.run(notes.sessions, work, attempts_max=4)

        assert len(attempts) == 4
        assert holds_nothing(notes)

    def test_gives_up_when_the_time_for_all_attempts_is_over(self, notes: NotesApp):
        attempts: list[object] = []

        def work(session: sa.orm.Session) -> None:
            attempts.append(session)
            time.sleep(0.1)
            raise errors.Conflict("somebody was faster")

        began = time.monotonic()
        with pytest.raises(errors.Conflict):
            retry.run(notes.sessions, work, attempts_max=1000, timeout_seconds=0.3)

        assert 1 <= len(attempts) <= 3
        assert time.monotonic() - began < 5

    def test_does_not_repeat_what_no_repeat_can_mend(self, notes: NotesApp):
        attempts: list[object] = []

        def work(session: sa.orm.Session) -> None:
            attempts.append(session)
            session.execute(WRITE)
            session.execute(WRITE)

        with pytest.raises(sa.exc.IntegrityError):
            retry.run(notes.sessions, work)

        assert len(attempts) == 1
        assert notes.texts() == []

    def test_is_done_once_where_no_attempt_is_left(self, notes: NotesApp):
        attempts: list[object] = []

        def work(session: sa.orm.Session) -> None:
            attempts.append(session)
            raise errors.Conflict("somebody was faster")

        with pytest.raises(errors.Conflict):
            retry.run(notes.sessions, work, attempts_max=0, timeout_seconds=2)

        assert len(attempts) == 1
