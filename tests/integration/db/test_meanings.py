"""SESSION promise 12: each row of the tables of meanings, raised by the database or the driver itself."""

from __future__ import annotations

import sqlite3
import time

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import exc as orm_exc

from myapp import settings
from myapp.db import engine as engines
from myapp.db import errors, scope
from myapp.db.errors import Conflict, DatabaseError, DeadlineExceeded, OutcomeUnknown, Overloaded, ReadOnly, Unavailable
from myapp.db.factory import Sessions

only_on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
only_on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

# What a row means, by one code of its own, or of its class.
EXPECTED = {
    "40001": Conflict,
    "40P01": Conflict,
    "40003": OutcomeUnknown,
    "55P03": Unavailable,
    "57014": DeadlineExceeded,
    "25P04": DeadlineExceeded,
    "25P03": Unavailable,
    "25006": ReadOnly,
    "08007": OutcomeUnknown,
    "08006": Unavailable,
    "53100": Unavailable,
    "57P01": Unavailable,
    "58030": Unavailable,
    "XX001": Unavailable,
    "XX002": Unavailable,
}
FAULTS = ("23505", "23514", "23503", "23502", "42P01", "22012", "42601", "XX000", "26000")


def raised(sessions: Sessions, statement: str, **options: object) -> BaseException:
    with pytest.raises(sa.exc.DBAPIError) as caught, scope.session_scope(sessions, **options) as session:
        session.connection().exec_driver_sql(statement)
    return caught.value


def error(state: str) -> str:
    return f"DO $$ BEGIN RAISE 'secret' USING ERRCODE = '{state}'; END $$"


class TestPromise12MeaningsOfPostgresql:
    @only_on_postgresql
    @pytest.mark.parametrize(("state", "meaning"), EXPECTED.items())
    def test_each_row(self, sessions: Sessions, dialect: str, state: str, meaning: type[DatabaseError]):
        found = errors.translate(raised(sessions, error(state)))

        assert type(found) is meaning
        assert "secret" not in str(found)

    @only_on_postgresql
    @pytest.mark.parametrize(("state", "meaning"), EXPECTED.items())
    def test_each_row_through_a_cursor_of_the_drivers(
        self, sessions: Sessions, dialect: str, state: str, meaning: type[DatabaseError]
    ):
        with pytest.raises(psycopg.Error) as caught, scope.session_scope(sessions) as session:
            session.connection().connection.driver_connection.execute(error(state))

        found = errors.translate(caught.value)
        # Whether a unit of work may write is nothing that the driver knows.
        assert type(found) is (type(None) if meaning is ReadOnly else meaning)

    def test_no_row_is_left_out(self):
        assert {state if state in errors.POSTGRESQL else state[:2] for state in EXPECTED} == set(errors.POSTGRESQL)

    @only_on_postgresql
    @pytest.mark.parametrize("state", FAULTS)
    def test_any_other_is_a_fault_of_ours(self, sessions: Sessions, dialect: str, state: str):
        assert errors.translate(raised(sessions, error(state))) is None

    @only_on_postgresql
    def test_writing_where_one_said_to_read_is_a_fault_of_ours(self, sessions: Sessions, dialect: str):
        assert errors.translate(raised(sessions, "CREATE TABLE taken ()", readonly=True)) is None

    @only_on_postgresql
    def test_a_transaction_that_was_idle_too_long_is_unavailable(self, sessions: Sessions, dialect: str):
        with pytest.raises(sa.exc.DBAPIError) as caught, scope.session_scope(sessions) as session:
            session.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
            process = session.scalar(sa.text("SELECT pg_backend_pid()"))
            wait_until_gone(sessions, process)
            session.execute(sa.text("SELECT 1"))

        assert type(errors.translate(caught.value)) is Unavailable
        assert errors.meaning(caught.value).cause == "connection-lost"

    def test_a_server_that_is_not_there_is_unavailable(self):
        engine = engines.build(settings.Database(url="postgresql://127.0.0.1:1/nothing"))
        with pytest.raises(sa.exc.OperationalError) as caught:
            engine.connect()

        assert type(errors.translate(caught.value)) is Unavailable


class TestPromise12MeaningsOfSqlite:
    """Which of them really come about is in tests/faults/test_sqlite_errors.py; here each row of the table."""

    @pytest.mark.parametrize("code", errors.SQLITE)
    def test_each_row(self, code: int):
        # An extended code says more, of which nothing is needed.
        assert type(errors.translate(sqlite_error(code | 3 << 8))) is errors.SQLITE[code].error

    @only_on_sqlite
    @pytest.mark.parametrize("statement", ["SELECT * FROM nothing", "SELEC", "INSERT INTO ledgers DEFAULT VALUES"])
    def test_any_other_is_a_fault_of_ours(self, sessions: Sessions, dialect: str, statement: str):
        assert errors.translate(raised(sessions, statement)) is None

    @only_on_sqlite
    def test_writing_where_one_said_to_read_is_a_fault_of_ours(self, sessions: Sessions, dialect: str):
        assert errors.translate(raised(sessions, "CREATE TABLE taken (a)", readonly=True)) is None


class TestClasses:
    @pytest.mark.parametrize(
        ("error", "meaning"),
        [
            (sa.exc.TimeoutError("secret"), Overloaded),
            (orm_exc.StaleDataError("secret"), Conflict),
            (sa.exc.OperationalError("SELECT secret", {}, Exception("secret")), Unavailable),
        ],
    )
    def test_each_row(self, error: Exception, meaning: type[DatabaseError]):
        found = errors.translate(error)

        assert type(found) is meaning
        assert "secret" not in str(found)

    def test_our_own_mean_themselves(self):
        error = ReadOnly("for now")

        assert errors.translate(error) is error

    def test_what_is_no_error_of_a_database_is_a_fault_of_ours(self):
        assert errors.translate(ValueError("secret")) is None


def sqlite_error(code: int) -> sa.exc.OperationalError:
    error = sqlite3.OperationalError("secret")
    error.sqlite_errorcode = code
    return sa.exc.OperationalError("SELECT secret", {}, error)


def wait_until_gone(sessions: Sessions, process: int) -> None:
    there = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pid = :process")
    deadline = time.monotonic() + 10
    is_there = True
    while is_there and time.monotonic() < deadline:
        time.sleep(0.01)
        # PostgreSQL shows each transaction one state of this view.
        with scope.session_scope(sessions, readonly=True) as session:
            is_there = session.scalar(there, {"process": process})
