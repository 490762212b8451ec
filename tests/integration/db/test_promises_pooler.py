"""SESSION promise 17: works behind PgBouncer in transaction mode, a real one here.

The whole functional suite runs through it as well: `make test-variants`.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import alembic.command
import psycopg
import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from pyramid.request import Request
from pyramid.response import Response

from tests import databases, pgbouncer
from tests.integration.db.conftest import MakeNotes, NotesApp

pytestmark = [pytest.mark.needs_pgbouncer, pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)]

CLIENTS = 12
OFF = {"db.prepared_statements": "off"}
WHO = sa.text("SELECT pg_backend_pid() FROM pg_sleep(0.01)")
WRITE = sa.text("INSERT INTO notes (id, text) VALUES (1, 'written')")
# What a unit of work sets for itself; what else it sets, PgBouncer keeps for each client.
LOCAL = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

# From this version on it keeps the prepared statements of its clients without being told to.
KNOWS_PREPARED_STATEMENTS = (1, 24)

MakePooled = Callable[..., NotesApp]


@pytest.fixture
def pooled_url(notes_url: str, through_pgbouncer: Callable[[str], str]) -> str:
    return through_pgbouncer(notes_url)


@pytest.fixture
def make_pooled(make_notes: MakeNotes, pooled_url: str) -> MakePooled:
    """Return a function that makes the application around a view, reaching its database through PgBouncer."""

    def make(view: Callable[[Request], Response], **settings: object) -> NotesApp:
        return make_notes(view, **{"sqlalchemy.url": pooled_url, **OFF, **settings})

    return make


def work(notes: NotesApp, method: str, times: int) -> list[str]:
    """Let as many clients as there are work at the same time, and return what they were told."""
    start = threading.Barrier(CLIENTS)

    def client() -> list[str]:
        start.wait()
        return [notes.client.request("/notes", method=method).text for _ in range(times)]

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [text for done in [threads.submit(client) for _ in range(CLIENTS)] for text in done.result(60)]


def version() -> tuple[int, ...]:
    said = subprocess.run([str(pgbouncer.PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.split()[1].split("."))


class TestPromise17PoolerSafe:
    def test_many_share_few_connections_of_the_server(self, make_pooled: MakePooled):
        notes = make_pooled(lambda request: Response(str(request.dbsession.scalar(WHO))), **{"db.pool_size": "12"})

        # More often than the driver waits before it prepares a statement.
        told = work(notes, "POST", 15)

        assert len(told) == CLIENTS * 15
        assert 1 < len(set(told)) <= pgbouncer.POOL_SIZE
        assert notes.checked_out() == 0

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_is_left_on_a_connection_of_the_server(
        self, make_pooled: MakePooled, notes_url: str, pooled_url: str, method: str
    ):
        view = lambda request: Response(str(request.dbsession.scalar(WHO)))  # noqa: E731
        used = set(work(make_pooled(view, db={"isolation": "SERIALIZABLE", "timeout": 7}), method, 2))

        left: dict[str, list[object]] = {}
        with psycopg.connect(notes_url) as direct:
            expected = [direct.execute(f"SHOW {name}").fetchone() for name in LOCAL]
        # Held at the same time, so that each is another one of the server's.
        clients = [psycopg.connect(pooled_url) for _ in range(pgbouncer.POOL_SIZE)]
        for client in clients:
            process = str(client.execute("SELECT pg_backend_pid()").fetchone()[0])
            left[process] = [client.execute(f"SHOW {name}").fetchone() for name in LOCAL]
        for client in clients:
            client.close()

        assert used <= left.keys()
        assert all(found == expected for found in left.values())

    def test_a_statement_ends_at_the_deadline(self, make_pooled: MakePooled):
        view = lambda request: Response(str(request.dbsession.scalar(sa.text("SELECT pg_sleep(30)"))))  # noqa: E731
        notes = make_pooled(view, db={"timeout": 1})

        began = time.monotonic()
        assert "canceling statement due to statement timeout" in notes.client.post("/notes", status=500).text
        assert time.monotonic() - began < 5

    def test_a_lock_is_waited_for_as_long_as_the_setting_says(self, make_pooled: MakePooled, notes_url: str):
        def view(request: Request) -> Response:
            request.dbsession.execute(WRITE)
            return Response()

        notes = make_pooled(view, **{"db.lock_timeout_seconds": "0.2"})
        with psycopg.connect(notes_url) as other:
            other.execute("INSERT INTO notes (id, text) VALUES (1, 'theirs')")
            assert "canceling statement due to lock timeout" in notes.client.post("/notes", status=500).text
            other.rollback()

        notes.client.post("/notes", status=200)
        assert notes.texts() == ["written"]

    def test_a_get_writes_nothing(self, make_pooled: MakePooled):
        def view(request: Request) -> Response:
            request.dbsession.execute(WRITE)
            return Response()

        notes = make_pooled(view)

        assert "read-only transaction" in notes.client.get("/notes", status=500).text
        assert notes.texts() == []

    def test_prepared_statements_left_on_are_named_with_the_cure(self, make_pooled: MakePooled):
        failed: list[BaseException] = []

        def view(request: Request) -> Response:
            try:
                return Response(str(request.dbsession.scalar(WHO)))
            except sa.exc.DBAPIError as exc:
                failed.append(exc)
                raise

        notes = make_pooled(view, **{"db.prepared_statements": "on", "db.pool_size": "12"})
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(lambda _: notes.client.post("/notes", status="*"), range(CLIENTS * 20)))

        assert bool(failed) == (version() < KNOWS_PREPARED_STATEMENTS)
        assert all("Set db.prepared_statements = off" in exc.__notes__[0] for exc in failed)

    def test_migrations_refuse_to_leave_their_lock_behind(
        self, empty_database_url: Callable[[str], str], through_pgbouncer: Callable[[str], str], dialect: str
    ):
        url = empty_database_url(dialect)
        with pytest.raises(CommandError, match="reached through a pooler"):
            alembic.command.upgrade(databases.alembic_config(through_pgbouncer(url)), "head")

        alembic.command.upgrade(databases.alembic_config(url), "head")
