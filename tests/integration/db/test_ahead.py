"""Rows that are read ahead: as they are made, whole or not at all, and with nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from pyramid.response import Response
from sqlalchemy.orm import Session

from myapp.db import errors, scope
from tests.integration.db.conftest import MakeNotes, Note, NotesApp

# Several times what the driver takes together, and more than the network holds.
MANY = 50_000
SERIES = {
    "postgresql": "SELECT n, repeat('x', 100) FROM generate_series(1, :count) AS s (n)",
    "sqlite": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s LIMIT (:count)) "
    "SELECT n, hex(zeroblob(50)) FROM s WHERE :count > 0",
}
only_on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@pytest.fixture
def notes(make_notes: MakeNotes) -> NotesApp:
    return make_notes(lambda request: Response())


def series(session: Session, count: int = MANY) -> sa.CursorResult[Any]:
    query = sa.text(SERIES[session.get_bind().dialect.name])
    return session.connection().execute(query, {"count": count}, execution_options=scope.AHEAD)


WAYS: dict[str, Callable[[sa.CursorResult[Any]], list[Any]]] = {
    "all": lambda found: list(found.all()),
    "one by one": lambda found: list(iter(found.fetchone, None)),
    "by iterating": list,
    "in portions": lambda found: [row for portion in found.partitions(77) for row in portion],
    "in pages": lambda found: [row for page in iter(lambda: found.fetchmany(1_000), []) for row in page],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1_234])
def test_all_rows_come_once_and_in_order(notes: NotesApp, way: str, count: int):
    with scope.session_scope(notes.sessions, readonly=True) as session:
        found = WAYS[way](series(session, count))

        assert [row[0] for row in found] == list(range(1, count + 1))
        # The connection is free again.
        assert session.scalar(sa.text("SELECT 7")) == 7


class Reversed(sa.types.TypeDecorator[str]):
    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        return None if value is None else value[::-1]


def test_what_finds_nothing_leaves_the_statement_as_it_is(notes: NotesApp):
    """SQLAlchemy remembers what the columns of a statement are."""
    query = sa.select(Note.id, sa.type_coerce(Note.text, Reversed).label("back")).order_by(Note.id)
    for texts in ([], ["ab"], ["ab", "cd"]):
        for options in (scope.AHEAD, {}):
            with scope.session_scope(notes.sessions) as session:
                session.execute(sa.delete(Note))
                session.add_all(Note(id=number, text=text) for number, text in enumerate(texts))
                session.flush()

                def ask(session: Session = session, options: dict[str, bool] = options) -> sa.CursorResult[Any]:
                    return session.connection().execute(query, execution_options=options)

                named = ask()
                assert list(named.keys()) == ["id", "back"]
                assert len(named.all()) == len(texts)
                assert ask().scalars("back").all() == [text[::-1] for text in texts]
                assert [dict(row) for row in ask().mappings()] == [
                    {"id": number, "back": text[::-1]} for number, text in enumerate(texts)
                ]


@only_on_postgresql
@pytest.mark.parametrize("how", [{"stream_results": True}, {"yield_per": 10}])
def test_it_is_not_had_with_a_cursor_on_the_server(notes: NotesApp, how: dict[str, object]):
    with (
        pytest.raises(errors.SessionMisuse, match=r"session\.connection\(\)\.execute"),
        scope.session_scope(notes.sessions, readonly=True) as session,
    ):
        session.execute(sa.text("SELECT 7"), execution_options={**scope.AHEAD, **how})
    assert notes.checked_out() == 0


@only_on_postgresql
def test_it_is_not_had_for_many_statements(notes: NotesApp):
    insert = sa.text("INSERT INTO notes (text) VALUES (:text)")
    with (
        pytest.raises(errors.SessionMisuse, match="one SELECT"),
        scope.session_scope(notes.sessions) as session,
    ):
        session.connection().execute(insert, [{"text": "a"}, {"text": "b"}], execution_options=scope.AHEAD)
    assert notes.texts() == []


def test_one_that_is_left_gives_a_good_connection_back(notes: NotesApp):
    for _ in range(3):
        with (
            pytest.raises(ZeroDivisionError),
            scope.session_scope(notes.sessions, readonly=True) as session,
            series(session) as found,
        ):
            assert found.fetchone() is not None
            raise ZeroDivisionError

    assert notes.checked_out() == 0
    with scope.session_scope(notes.sessions, readonly=True) as session:
        assert session.scalar(sa.text("SELECT 7")) == 7


@only_on_postgresql
def test_one_that_is_left_ends_its_unit_of_work(notes: NotesApp):
    with (
        pytest.raises(errors.UnitOfWorkAborted, match="read ahead"),
        scope.session_scope(notes.sessions) as session,
    ):
        session.execute(sa.text("INSERT INTO notes (text) VALUES ('a')"))
        with series(session) as found:
            assert found.fetchone() is not None
    assert notes.texts() == []


def test_one_that_fails_on_the_way_is_told_as_any_error(notes: NotesApp, dialect: str):
    divide = {
        "postgresql": "SELECT 1 / (20000 - n) FROM generate_series(1, 30000) AS s (n)",
        "sqlite": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s LIMIT 30000) "
        "SELECT abs(CASE n WHEN 20000 THEN -9223372036854775807 - 1 ELSE n END) FROM s",
    }
    read = []
    with (
        pytest.raises(sa.exc.DBAPIError, match=r"division by zero|integer overflow"),
        scope.session_scope(notes.sessions, readonly=True) as session,
    ):
        query = sa.text(divide[dialect])
        for portion in session.connection().execute(query, execution_options=scope.AHEAD).partitions(100):
            read += portion
    assert 0 < len(read) < 20_000
    assert notes.checked_out() == 0


@only_on_postgresql
def test_the_server_goes_on_meanwhile(notes: NotesApp):
    slow = sa.text("SELECT n, pg_sleep(0.01) FROM generate_series(1, 200) AS s (n)")
    with scope.session_scope(notes.sessions, readonly=True) as session:
        found = session.connection().execute(slow, execution_options=scope.AHEAD)
        assert found.fetchone() is not None
        time.sleep(3)
        waited = time.monotonic()
        assert len(found.all()) == 199
        waited = time.monotonic() - waited

    assert waited < 1


@only_on_postgresql
def test_nothing_else_is_asked_on_its_connection_meanwhile(notes: NotesApp):
    with (
        pytest.raises(sa.exc.OperationalError, match="busy with a stream"),
        scope.session_scope(notes.sessions, readonly=True) as session,
    ):
        _found = series(session)
        session.scalar(sa.text("SELECT 7"))
    assert notes.checked_out() == 0


@only_on_postgresql
def test_one_that_is_neither_read_nor_closed_commits_nothing(notes: NotesApp):
    found = []
    with (
        pytest.raises((errors.SessionMisuse, sa.exc.OperationalError), match="stream"),
        scope.session_scope(notes.sessions) as session,
    ):
        session.execute(sa.text("INSERT INTO notes (text) VALUES ('a')"))
        found.append(series(session))
    assert notes.texts() == []


@only_on_postgresql
def test_a_server_that_dies_on_the_way_is_told_and_leaves_a_good_pool(notes: NotesApp):
    with (
        pytest.raises(sa.exc.OperationalError),
        scope.session_scope(notes.sessions, readonly=True) as session,
    ):
        pid = session.scalar(sa.text("SELECT pg_backend_pid()"))
        found = series(session, 10 * MANY)
        found.fetchone()
        with scope.session_scope(notes.sessions) as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        found.all()

    with scope.session_scope(notes.sessions, readonly=True) as session:
        assert session.scalar(sa.text("SELECT 7")) == 7


@only_on_postgresql
def test_it_may_be_closed_by_another_thread(notes: NotesApp):
    """As a stream is when its time is over."""
    with scope.session_scope(notes.sessions, readonly=True) as session, scope.discarded(session):
        found = series(session)
        found.fetchone()
        closing = threading.Thread(target=found.close)
        closing.start()
        closing.join(10)

        assert not closing.is_alive()
    assert notes.checked_out() == 0
