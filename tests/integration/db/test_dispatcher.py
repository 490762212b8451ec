"""SESSION promise 22: what must not be lost is a row of the same session, worked off at least once and in order."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import dispatcher, scope
from myapp.db.dispatcher import Dispatcher
from myapp.db.session import UnitOfWorkSession
from tests.integration.db.conftest import ENDLESS, MakeNotes, Note, NotesApp, ServerError

WAIT_SECONDS = 10
NEVER = 3600.0
# For a process to start, to import the layer and to end, on a slow machine.
PROCESS_SECONDS = 60

# A program that ends while its dispatcher waits for somebody to wake it.
FORGETFUL = f"""\
import sys, threading
from myapp import settings
from myapp.db import dispatcher, engine, factory

looked = threading.Event()
sessions = factory.build(engine.build(settings.Database(url=sys.argv[1])))
outbox = dispatcher.Dispatcher(sessions, lambda session: looked.set(), name="outbox", interval_seconds={NEVER})
outbox.start()
assert looked.wait({PROCESS_SECONDS})
print("it looked")
"""


class Receiver:
    """Whom the notes are sent to, ten at a time; it may refuse."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.attempts = 0
        self.refuse: Callable[[str], bool] = lambda text: False

    def take_next(self, session: UnitOfWorkSession) -> bool:
        self.attempts += 1
        oldest = sa.select(Note).order_by(Note.id).limit(10).with_for_update(skip_locked=True)
        notes = session.scalars(oldest).all()
        for note in notes:
            if self.refuse(note.text):
                raise ServerError(note.text)
            self.received.append(note.text)
            session.delete(note)
        return bool(notes)

    def has(self, count: int) -> bool:
        return soon(lambda: len(self.received) >= count)


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def start(make_notes: MakeNotes) -> Iterator[Callable[..., Dispatcher]]:
    """Return a function that starts a dispatcher; it ends before the application's database is left."""
    started: list[Dispatcher] = []

    def start(notes: NotesApp, handle: dispatcher.HandleNext, interval_seconds: float = NEVER) -> Dispatcher:
        started.append(Dispatcher(notes.sessions, handle, name="outbox", interval_seconds=interval_seconds))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        assert each.stop(WAIT_SECONDS)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "PAUSE_SECONDS", 0.02)


def add(notes: NotesApp, *numbers: int) -> None:
    with scope.session_scope(notes.sessions) as session:
        session.add_all(Note(id=number, text=str(number)) for number in numbers)


@pytest.fixture
def notes(make_notes: MakeNotes) -> NotesApp:
    def post(request: Request) -> Response:
        request.dbsession.add(Note(id=int(request.params["id"]), text=request.params["id"]))
        request.after_commit(request.registry["outbox"].wake)
        request.dbsession.flush()
        if "fail" in request.params:
            raise ServerError
        return Response()

    return make_notes(post)


class TestPromise22Dispatcher:
    def test_sends_what_requests_committed_in_order_and_soon(self, notes: NotesApp, receiver: Receiver, start):
        notes.client.app.registry["outbox"] = start(notes, receiver.take_next)
        for number in range(25):
            notes.client.post(f"/notes?id={number}", status=200)

        assert receiver.has(25)
        assert receiver.received == [str(number) for number in range(25)]
        assert soon(lambda: notes.texts() == [])

    def test_sends_nothing_that_was_rolled_back(self, notes: NotesApp, receiver: Receiver, start):
        notes.client.app.registry["outbox"] = start(notes, receiver.take_next)
        notes.client.post("/notes?id=1&fail=1", status=500)
        notes.client.post("/notes?id=2", status=200)

        assert receiver.has(1)
        assert receiver.received == ["2"]

    def test_begins_with_what_an_earlier_process_left(self, notes: NotesApp, receiver: Receiver, start):
        add(notes, *range(25))
        start(notes, receiver.take_next)

        assert receiver.has(25)
        assert receiver.received == [str(number) for number in range(25)]

    def test_looks_by_itself_when_nobody_wakes_it(self, notes: NotesApp, receiver: Receiver, start):
        start(notes, receiver.take_next, 0.05)
        assert soon(lambda: receiver.attempts >= 2)
        add(notes, 1)

        assert receiver.has(1)

    def test_goes_on_after_a_batch_that_wanted_to_exit(self, notes: NotesApp, receiver: Receiver, start):
        def take_next(session: UnitOfWorkSession) -> bool:
            if receiver.attempts == 0:
                receiver.attempts += 1
                raise SystemExit(3)
            return receiver.take_next(session)

        add(notes, 1)
        start(notes, take_next)

        assert receiver.has(1)

    def test_misses_nobody_who_wakes_it_while_it_works(self, notes: NotesApp, start):
        looks: list[int] = []

        def look(session: UnitOfWorkSession) -> bool:
            looks.append(len(looks))
            if len(looks) <= 3:
                outbox.wake()
            return False

        outbox = Dispatcher(notes.sessions, look, name="outbox", interval_seconds=NEVER)
        outbox.start()

        assert soon(lambda: len(looks) == 4)
        assert outbox.stop(WAIT_SECONDS)

    def test_sends_again_in_order_what_failed(
        self, notes: NotesApp, receiver: Receiver, start, caplog: pytest.LogCaptureFixture
    ):
        add(notes, 1, 2, 3)
        receiver.refuse = lambda text: text == "3" and receiver.attempts <= 2
        start(notes, receiver.take_next)

        assert receiver.has(7)
        # Undone with the batch, so at least once, and never in another order.
        assert receiver.received == ["1", "2", "1", "2", "1", "2", "3"]
        assert "the dispatcher outbox failed 2 time(s)" in caplog.text

    def test_goes_on_after_the_database_failed(self, notes: NotesApp, receiver: Receiver, start):
        def handle(session: UnitOfWorkSession) -> bool:
            if receiver.attempts == 0:
                receiver.attempts += 1
                session.execute(sa.text("SELECT nonsense"))
            return receiver.take_next(session)

        add(notes, 1)
        start(notes, handle)

        assert receiver.has(1)

    def test_backs_off_however_often_it_is_woken(self, notes: NotesApp, receiver: Receiver, start):
        add(notes, 1)
        receiver.refuse = lambda text: True
        outbox = start(notes, receiver.take_next)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            outbox.wake()
            time.sleep(0.001)

        assert receiver.attempts <= 8

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_shares_the_work_with_others_without_doubling_it(self, notes: NotesApp, dialect: str, start):
        both = [Receiver(), Receiver()]
        meeting = threading.Barrier(2)

        def taking(receiver: Receiver) -> dispatcher.HandleNext:
            def take(session: UnitOfWorkSession) -> bool:
                is_more = receiver.take_next(session)
                if receiver.attempts == 1:
                    # Both hold their first batch now.
                    meeting.wait(WAIT_SECONDS)
                return is_more

            return take

        add(notes, *range(60))
        for receiver in both:
            start(notes, taking(receiver))

        assert soon(lambda: notes.texts() == [])
        assert all(receiver.received for receiver in both)
        everything = [text for receiver in both for text in receiver.received]
        assert sorted(everything, key=int) == [str(number) for number in range(60)]

    # SQLite has one writer, so there the batches are one at a time in any case.
    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_keeps_the_order_beside_others_where_one_works_at_a_time(self, notes: NotesApp, dialect: str, start):
        sent: list[int] = []

        def take_next(session: UnitOfWorkSession) -> bool:
            if not session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(4711))):
                return False
            taken = session.scalars(sa.select(Note).order_by(Note.id).limit(5).with_for_update(skip_locked=True)).all()
            for note in taken:
                time.sleep(0.001)
                sent.append(note.id)
                session.delete(note)
            return bool(taken)

        add(notes, *range(200))
        for _ in range(4):
            start(notes, take_next, interval_seconds=0.001)

        assert soon(lambda: notes.texts() == [])
        assert sent == list(range(200))

    def test_stops_within_its_time(self, notes: NotesApp, receiver: Receiver):
        inside, go_on = threading.Event(), threading.Event()

        def stay(session: UnitOfWorkSession) -> bool:
            inside.set()
            assert go_on.wait(WAIT_SECONDS)
            return receiver.take_next(session)

        add(notes, *range(25))
        outbox = Dispatcher(notes.sessions, stay, name="outbox")
        outbox.start()
        assert inside.wait(WAIT_SECONDS)
        assert not outbox.stop(0.05)
        go_on.set()

        assert outbox.stop(WAIT_SECONDS)
        # The batch under way was finished, and none begun.
        assert len(receiver.received) == 10

    # How a process ends is the same on each database.
    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_keeps_no_process_alive_that_forgot_to_stop_it(self, notes_url: str, dialect: str):
        command = [sys.executable, "-c", FORGETFUL, notes_url]
        ended = subprocess.run(command, timeout=PROCESS_SECONDS, check=True, stdout=subprocess.PIPE, text=True)

        assert ended.stdout == "it looked\n"

    def test_has_stopped_before_it_began(self, notes: NotesApp, receiver: Receiver):
        assert Dispatcher(notes.sessions, receiver.take_next, name="outbox").stop(WAIT_SECONDS)

    def test_gives_each_batch_its_time_and_no_more(self, notes: NotesApp, receiver: Receiver, start):
        remaining: list[float] = []

        def look(session: UnitOfWorkSession) -> bool:
            remaining.append(session.unit.deadline.remaining())
            return False

        start(notes, look)

        assert soon(lambda: bool(remaining))
        assert 0 < remaining[0] <= 60

    def test_goes_on_after_a_batch_that_took_longer(self, notes: NotesApp, receiver: Receiver, dialect: str):
        def freeze_once(session: UnitOfWorkSession) -> bool:
            if receiver.attempts:
                return receiver.take_next(session)
            receiver.attempts += 1
            return bool(session.execute(sa.text(ENDLESS[dialect])).all())

        add(notes, 1)
        outbox = Dispatcher(notes.sessions, freeze_once, name="outbox", batch_seconds=0.2)
        outbox.start()
        try:
            assert receiver.has(1)
        finally:
            assert outbox.stop(WAIT_SECONDS)

    def test_stops_at_once_while_it_has_nothing_to_do(self, notes: NotesApp, receiver: Receiver):
        outbox = Dispatcher(notes.sessions, receiver.take_next, name="outbox", interval_seconds=NEVER)
        outbox.start()
        assert soon(lambda: receiver.attempts == 1)

        assert outbox.stop(WAIT_SECONDS)
