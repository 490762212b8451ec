"""The databases are set up as docs/sessions.md says, on every connection."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db.databases import postgresql
from myapp.db.limits import admission, deadline
from myapp.db.unit import Unit
from tests.integration.db.conftest import MakeNotes, NotesApp, Response

NAME = "Ada Lovelace"

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@pytest.fixture
def notes(make_notes: MakeNotes) -> NotesApp:
    return make_notes(lambda request: Response())


def shown(notes: NotesApp, command: str) -> object:
    with notes.engine.connect() as connection:
        return connection.exec_driver_sql(command).scalar_one()


class TestSqlite:
    @on_sqlite
    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
    )
    def test_is_set_up_for_safety(self, notes: NotesApp, pragma: str, value: object):
        assert shown(notes, f"PRAGMA {pragma}") == value


class TestPostgresql:
    @on_postgresql
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("application_name", "myapp"),
            ("lock_timeout", "5s"),
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "1min"),
            ("TimeZone", "UTC"),
            ("enable_bitmapscan", "off"),
            ("jit", "off"),
        ],
    )
    def test_bounds_every_wait_and_says_who_it_is(self, notes: NotesApp, name: str, value: str):
        assert shown(notes, f"SHOW {name}") == value

    @on_postgresql
    def test_has_the_parameters_asked_for_and_keeps_its_bounds(self, make_notes: MakeNotes):
        notes = make_notes(lambda request: Response(), **{"db.parameters": "work_mem=5MB lock_timeout=1h"})

        assert [shown(notes, f"SHOW {name}") for name in ("work_mem", "lock_timeout", "jit")] == ["5MB", "5s", "on"]
        # Nothing of it is left on the connection.
        connection = notes.engine.raw_connection()
        assert connection.driver_connection.execute("SHOW work_mem").fetchone() != ("5MB",)
        connection.close()

    @on_postgresql
    def test_names_a_parameter_that_there_is_not(self, notes_url: str):
        engine = engines.build(settings.Database(url=notes_url, parameters="wrok_mem=5MB"))

        with pytest.raises(sa.exc.DatabaseError, match="wrok_mem"), engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()

    @on_postgresql
    def test_a_connection_that_died_while_it_idled_is_replaced(self, notes: NotesApp, monkeypatch: pytest.MonkeyPatch):
        process = shown(notes, "SELECT pg_backend_pid()")
        other = sa.create_engine(notes.engine.url, poolclass=sa.NullPool)
        with other.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({process})")
        monkeypatch.setattr(engines, "IDLE_SECONDS_BEFORE_PING", 0)

        assert shown(notes, "SELECT pg_backend_pid()") != process

    @on_postgresql
    def test_the_drivers_own_connection_may_take_its_time(self, notes: NotesApp, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(postgresql, "SILENCE_SECONDS", 0.2)
        monkeypatch.setattr(engines, "IDLE_SECONDS_BEFORE_PING", 0)
        # New, and after a ping.
        for _ in range(2):
            connection = notes.engine.raw_connection()
            connection.driver_connection.execute("SELECT pg_sleep(0.4)")
            connection.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the address of a server that accepts whoever comes, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class TestConnecting:
    @pytest.mark.parametrize("hosts", [1, 3])
    def test_ends_with_the_deadline(self, silent: str, hosts: int):
        assert seconds_to_give_up(silent, hosts=hosts, left=0.3) < postgresql.CONNECT_SECONDS_MIN

    def test_without_a_deadline_ends_all_the_same(self, silent: str):
        assert seconds_to_give_up(silent, hosts=1, left=None) >= postgresql.CONNECT_SECONDS_MIN


def seconds_to_give_up(silent: str, *, hosts: int, left: float | None) -> float:
    """Connect, with so many seconds of a deadline left, and return how long that was tried."""
    address = "&".join([f"host={silent}"] * hosts)
    bind = engines.build(settings.Database(url=f"postgresql:///nobody?{address}"))
    lines = admission.of(bind)
    assert lines is not None
    turn = lines.enter(Unit(deadline=None if left is None else deadline.after(left)))
    began = time.monotonic()
    with pytest.raises(sa.exc.OperationalError):
        bind.connect()
    turn.end()
    return time.monotonic() - began


class TestErrors:
    def test_show_no_parameters(self, notes: NotesApp, caplog: pytest.LogCaptureFixture):
        query = sa.text("SELECT :name FROM absent")
        with notes.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(query, {"name": NAME})
        logging.getLogger("tests").error("failed", exc_info=caught.value)

        assert "FROM absent" in caplog.text
        assert NAME not in caplog.text


class TestPool:
    def test_holds_as_many_connections_as_set_and_no_more(self, make_notes: MakeNotes):
        notes = make_notes(lambda request: Response(), **{"db.pool_size": "2", "db.pool_timeout_seconds": "0.1"})
        with notes.engine.connect(), notes.engine.connect(), pytest.raises(sa.exc.TimeoutError):
            notes.engine.connect()
