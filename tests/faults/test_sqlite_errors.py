"""SESSION promise 12 on SQLite: each thing that goes wrong has one answer, and the next request is served.

Provoked for real. A full disk is a limit on the file's pages (`max_page_count`), which ends in SQLite's own SQLITE_FULL
anywhere; a read-only file is one opened with `mode=ro`, since the superuser heeds no permissions.
"""

from __future__ import annotations

import logging
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import webtest

from tests.faults.books import Books, books
from tests.functional.api.shop import sale

pytestmark = pytest.mark.commits

OpenBooks = Callable[..., Books]


@pytest.fixture
def file(fresh_database_url: Callable[[str], str], tmp_path: Path) -> Path:
    """Return a migrated database in a directory of its own."""
    made = Path(sa.make_url(fresh_database_url("sqlite")).database)
    (tmp_path / "disk").mkdir()
    return made.rename(tmp_path / "disk" / "books.sqlite")


@pytest.fixture
def open_books(file: Path) -> Iterator[OpenBooks]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(books(f"sqlite:///{file}", **settings))


def open_file(file: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(file, isolation_level=None))


@contextmanager
def connecting(found: Books, event: str, listener: Callable[..., object]) -> Iterator[None]:
    """Meanwhile have all connections made so."""
    sa.event.listen(found.engine, event, listener)
    found.engine.dispose()
    try:
        yield
    finally:
        sa.event.remove(found.engine, event, listener)
        found.engine.dispose()


class TestDisk:
    def test_that_is_full_is_unavailable_and_can_be_read(self, open_books: OpenBooks):
        found = open_books()

        def sell_until_refused() -> webtest.TestResponse:
            answers = (found.shop.call("POST", "transactions", sale(description="x" * 1000)) for _ in range(100))
            return next(answer for answer in answers if answer.status_int != 201)

        # As many pages as there are already.
        with connecting(found, "connect", lambda connection, _entry: connection.execute("PRAGMA max_page_count = 1")):
            found.refuse("unavailable", sell_until_refused)
            found.shop.must(200, "GET", "transactions")
        found.sell()

    def test_that_fails_in_commit_leaves_the_outcome_unknown_until_the_key_is_sent_again(
        self, open_books: OpenBooks, file: Path
    ):
        found = open_books()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fail(_connection: object) -> None:
            # What COMMIT writes is past the size that this process may give to a file.
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name(f"{file.name}-wal").stat().st_size, hard))

        sa.event.listen(found.engine, "commit", fail)
        try:
            answer = found.shop.call("POST", "transactions", sale(), Idempotency_Key="k")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sa.event.remove(found.engine, "commit", fail)

        found.refuse("outcome-unknown", lambda: answer)
        found.sell(Idempotency_Key="k")
        assert len(found.shop.must(200, "GET", "transactions")["items"]) == 2

    def test_that_is_gone_is_unavailable(self, open_books: OpenBooks, file: Path):
        found = open_books()
        found.engine.dispose()
        away = file.parent.rename(file.parent.with_name("away"))

        found.refuse("unavailable")

        away.rename(file.parent)
        found.sell()

    @pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
    def test_that_goes_while_it_is_open_takes_nothing_along(self, open_books: OpenBooks, file: Path, replaced: bool):
        found = open_books()
        found.sell()
        found.engine.dispose()
        copy = file.with_name("copy")
        shutil.copyfile(file, copy)
        recorded = found.shop.must(200, "GET", "transactions")["items"]
        if replaced:
            copy.replace(file)
        else:
            file.unlink()

        found.refuse("unavailable")
        if not replaced:
            # Neither does a new connection make another file.
            found.engine.dispose()
            found.refuse("unavailable")
            assert not file.exists()
            copy.replace(file)

        found.shop.call("GET", "transactions")
        assert found.shop.must(200, "GET", "transactions")["items"] == recorded
        found.sell()

    def test_that_is_damaged_is_unavailable(self, open_books: OpenBooks, file: Path):
        found = open_books()
        found.engine.dispose()
        whole = file.read_bytes()
        file.write_bytes(b"\1" * len(whole))

        found.refuse("unavailable")

        found.engine.dispose()
        file.write_bytes(whole)
        found.sell()

    def test_that_is_read_only_takes_no_writes_and_can_be_read(self, open_books: OpenBooks, file: Path):
        found = open_books()

        def open_to_read(_dialect: object, _entry: object, _arguments: object, options: dict[str, Any]) -> object:
            return sqlite3.connect(f"file:{file}?mode=ro", uri=True, **options)

        with connecting(found, "do_connect", open_to_read):
            found.refuse("read-only")
            found.shop.must(200, "GET", "transactions")
        found.sell()


class TestWriter:
    def test_who_takes_too_long_makes_the_others_unavailable(self, open_books: OpenBooks, file: Path):
        found = open_books(**{"db.busy_timeout_seconds": "0.05"})
        with open_file(file) as other:
            other.execute("BEGIN IMMEDIATE")
            found.refuse("unavailable")
            found.shop.must(200, "GET", "transactions")
        found.sell()

    def test_is_waited_for_until_the_deadline(self, open_books: OpenBooks, file: Path):
        found = open_books(**{"db.busy_timeout_seconds": "30"})
        with open_file(file) as other:
            other.execute("BEGIN IMMEDIATE")
            found.refuse("deadline-exceeded", found.sell_soon)
        found.sell()


class TestStatement:
    def test_that_takes_too_long_is_ended_at_the_deadline(self, open_books: OpenBooks, file: Path):
        found = open_books()
        endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        with open_file(file) as other:
            other.execute(f"CREATE TRIGGER slow BEFORE INSERT ON transactions BEGIN {endless}; END")
            found.refuse("deadline-exceeded", found.sell_soon)
            other.execute("DROP TRIGGER slow")
        found.sell()

    def test_that_breaks_a_constraint_nobody_knows_is_a_fault_that_tells_strangers_nothing(
        self, open_books: OpenBooks, file: Path, caplog: pytest.LogCaptureFixture
    ):
        found = open_books()
        with open_file(file) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON transactions BEGIN SELECT RAISE(ABORT, 'secret'); END"
            )
            with caplog.at_level(logging.ERROR):
                found.refuse("internal")
            other.execute("DROP TRIGGER refuse")

        assert "secret" in caplog.text
        found.sell()
