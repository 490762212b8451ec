"""What a unit of work sends to PostgreSQL, and when: its BEGIN and bounds go out with its first statement."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.db.factory import Sessions
from tests.integration.db.conftest import MakeNotes, Note, NotesApp, Response

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

INSERT = "INSERT INTO notes (text) VALUES (%(text)s)"
ONE = sa.select(sa.literal(1))


@dataclass
class Relay:
    """Stands before a server, and counts how often a client speaks after the server did: each is a round trip."""

    host: str
    port_of_server: int
    trips: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @contextmanager
    def running(self) -> Iterator[Relay]:
        threading.Thread(target=self._accept, daemon=True).start()
        with self._listener:
            yield self

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            spoken = threading.Event()
            spoken.set()
            threading.Thread(target=self._to_server, args=(client, server, spoken), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server, spoken), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self.host.startswith("/"):
            return socket.create_connection((self.host, self.port_of_server))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self.host}/.s.PGSQL.{self.port_of_server}")
        return server

    def _to_server(self, client: socket.socket, server: socket.socket, spoken: threading.Event) -> None:
        # The server may hang up first.
        with suppress(OSError):
            while data := client.recv(65536):
                if spoken.is_set():
                    spoken.clear()
                    self.trips += 1
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket, spoken: threading.Event) -> None:
        with client, server:
            while data := server.recv(65536):
                spoken.set()
                client.sendall(data)


@dataclass
class Seen:
    """A database behind a relay."""

    sessions: Sessions
    relay: Relay

    def trips(self, work: Callable[[Session], object], **how: object) -> int:
        """Return how many round trips a unit of work takes."""
        before = self.relay.trips
        with scope.session_scope(self.sessions, **how) as session:  # type: ignore[arg-type]
            work(session)
        return self.relay.trips - before


@pytest.fixture
def notes(make_notes: MakeNotes) -> NotesApp:
    return make_notes(lambda request: Response())


@pytest.fixture
def seen(notes: NotesApp) -> Iterator[Seen]:
    connection = notes.engine.raw_connection()
    info: Any = connection.driver_connection.info  # type: ignore[union-attr]
    connection.close()
    with Relay(info.host, info.port).running() as relay:
        through = URL.create(
            "postgresql",
            info.user,
            info.password or None,
            "127.0.0.1",
            relay.port,
            info.dbname,
            {"sslmode": "disable"},
        )
        engine = engines.build(settings.Database(url=through.render_as_string(hide_password=False)))
        found = Seen(factory.build(engine), relay)
        # The first connection is made, and the driver has prepared what it will.
        for _ in range(8):
            found.trips(lambda session: session.execute(ONE))
        yield found
        engine.dispose()


class TestAUnitOfWork:
    def test_that_sends_nothing_costs_nothing(self, seen: Seen):
        assert seen.trips(lambda session: session.connection()) == 0

    def test_takes_two_trips_for_one_statement(self, seen: Seen):
        assert seen.trips(lambda session: session.execute(ONE)) == 2

    def test_takes_one_more_for_each_other(self, seen: Seen):
        assert seen.trips(lambda session: [session.execute(ONE) for _ in range(3)]) == 4

    def test_that_reads_one_thing_alone_takes_one(self, seen: Seen):
        alone = ONE.execution_options(**scope.ALONE)

        assert seen.trips(lambda session: session.execute(alone).all(), readonly=True) == 1

    def test_that_may_write_is_one_transaction_whatever_reads_alone_in_it(self, seen: Seen):
        alone = ONE.execution_options(**scope.ALONE)

        assert seen.trips(lambda session: [session.execute(each) for each in (alone, ONE)]) == 3

    def test_reads_one_moment_once_it_has_begun(self, seen: Seen, notes: NotesApp):
        count = sa.select(sa.func.count()).select_from(Note).where(Note.id > 0)

        def read(session: Session) -> None:
            before = session.scalar(count)
            with notes.engine.begin() as other:
                other.exec_driver_sql(INSERT, {"text": "meanwhile"})
            assert session.scalar(count.execution_options(**scope.ALONE)) == before

        assert seen.trips(read, readonly=True, isolation="REPEATABLE READ") == 3

    def test_that_goes_on_after_reading_alone_begins_then(self, seen: Seen):
        alone = sa.text("SELECT 1 WHERE 1 = :one").execution_options(**scope.ALONE)

        def read(session: Session) -> None:
            session.execute(alone, {"one": 1})
            with pytest.raises(sa.exc.DBAPIError):
                session.connection().exec_driver_sql(INSERT, {"text": "in a read"})

        with pytest.raises(Exception, match="already ended"):
            seen.trips(read, readonly=True)


def in_two_statements(session: Session) -> None:
    session.connection().exec_driver_sql("INSERT INTO notes (text) VALUES ('a'); INSERT INTO notes (text) VALUES ('b')")


def by_executemany(session: Session) -> None:
    session.connection().exec_driver_sql(INSERT, [{"text": "a"}, {"text": "b"}])


def by_the_orm(session: Session) -> None:
    session.add_all([Note(text="a"), Note(text="b")])


def in_a_savepoint(session: Session) -> None:
    with session.begin_nested():
        in_two_statements(session)


def by_the_driver(session: Session) -> None:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    for text in ("a", "b"):
        driver.execute(INSERT, {"text": text})


def by_copy(session: Session) -> None:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy("COPY notes (text) FROM STDIN") as copy:
        copy.write("a\nb\n")


def by_stream(session: Session) -> None:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor:
        assert len(list(cursor.stream("INSERT INTO notes (text) VALUES ('a'), (%(text)s) RETURNING id", {"text": "b"})))


def on_the_server(session: Session) -> None:
    statement = sa.text("SELECT 1 WHERE 1 = :one").execution_options(stream_results=True)
    assert session.execute(statement, {"one": 1}).all()
    in_two_statements(session)


WAYS = (
    in_two_statements,
    by_executemany,
    by_the_orm,
    in_a_savepoint,
    by_the_driver,
    by_copy,
    by_stream,
    on_the_server,
)


@pytest.mark.parametrize("first", WAYS)
class TestWhateverItSendsFirst:
    def test_is_in_its_transaction(self, notes: NotesApp, first: Callable[[Session], None]):
        with pytest.raises(ZeroDivisionError), scope.session_scope(notes.sessions) as session:
            first(session)
            session.flush()
            raise ZeroDivisionError
        assert notes.texts() == []

    def test_is_bounded_and_committed(self, notes: NotesApp, first: Callable[[Session], None]):
        with scope.session_scope(notes.sessions, timeout_seconds=7) as session:
            first(session)
            bound = session.scalar(sa.text("SHOW statement_timeout"))
        assert notes.texts() == ["a", "b"]
        assert bound in ("7s", *(f"{milliseconds}ms" for milliseconds in range(5000, 7001)))


class TestAFirstStatementThatFails:
    @pytest.mark.parametrize("how", [{}, scope.ALONE])
    def test_is_told_as_itself_and_leaves_a_good_connection(self, notes: NotesApp, how: dict[str, bool]):
        divide = sa.text("SELECT 1 / CAST(:by AS int)").execution_options(**how)

        with (
            pytest.raises(sa.exc.DataError, match="division by zero"),
            scope.session_scope(notes.sessions, readonly=True) as session,
        ):
            session.execute(divide, {"by": 0})
        with scope.session_scope(notes.sessions, readonly=True) as session:
            assert session.scalar(divide, {"by": 1}) == 1
        assert notes.checked_out() == 0

    def test_may_fail_in_a_savepoint(self, notes: NotesApp):
        with scope.session_scope(notes.sessions) as session:
            with pytest.raises(sa.exc.DataError), session.begin_nested():
                session.execute(sa.text("SELECT 1 / CAST(:by AS int)"), {"by": 0})
            session.add(Note(text="after"))
        assert notes.texts() == ["after"]


MANY = sa.select(ONE.where(sa.literal(1).in_(range(70_000))).exists())
FAILURES: dict[str, tuple[Callable[[Session], object], str]] = {
    "too many parameters": (lambda session: session.execute(MANY), "parameters"),
    "a copy that nobody reads": (lambda session: run(session, "COPY (SELECT %(n)s::int) TO STDOUT", {"n": 1}), "COPY"),
    "what cannot be sent": (lambda session: run(session, "SELECT %(n)s", {"n": object()}), "adapt"),
    "an error of the statement": (lambda session: run(session, "SELECT 1 / %(n)s::int", {"n": 0}), "zero"),
}


def run(session: Session, text: str, values: dict[str, object]) -> sa.CursorResult[Any]:
    return session.connection().exec_driver_sql(text, values)


class TestAFirstStatementInTrouble:
    @pytest.mark.parametrize("failure", FAILURES)
    def test_is_told_as_itself_and_leaves_nothing_for_the_next_one(self, seen: Seen, failure: str):
        work, said = FAILURES[failure]
        # A server that is waited for would be "silent" then.
        with pytest.raises(sa.exc.DBAPIError, match=said):
            seen.trips(work, timeout_seconds=20)

        assert seen.trips(lambda session: session.execute(ONE)) >= 2
        assert seen.trips(lambda session: session.execute(ONE)) == 2

    def test_because_it_could_not_begin_prepares_nothing(self, seen: Seen):
        # At its sixth use the driver prepares it.
        statement = sa.text("SELECT 6 * :six").bindparams(six=6)
        for _ in range(5):
            seen.trips(lambda session: session.execute(statement))
        with pytest.raises(sa.exc.DBAPIError, match="syntax"):
            seen.trips(lambda session: session.execute(statement), isolation="NONSENSE")

        for _ in range(7):
            assert seen.trips(lambda session: session.execute(statement)) >= 2


def test_what_begins_anew_after_reading_alone_has_the_time_that_is_left(seen: Seen) -> None:
    slow = sa.text("SELECT pg_sleep(:seconds)").execution_options(**scope.ALONE)

    def read(session: Session) -> None:
        session.execute(slow, {"seconds": 1.2}).all()
        told = run(session, "SELECT setting::int FROM pg_settings WHERE name = %(name)s", {"name": "statement_timeout"})
        assert told.scalar_one() < 1_000

    seen.trips(read, readonly=True, timeout_seconds=2)
