"""The recipes of the page on sessions do what it says, run as they are printed there."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import scope

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"
SECTION = re.compile(r"^### (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS_MAX = 10

Load = Callable[[str], Any]


def beginning() -> str:
    """Return the code that all recipes share."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8").split("\n## Recipes\n", 1)[1])[0]


def code(title: str) -> str:
    """Return the one block of code under a recipe's heading."""
    recipes = PAGE.read_text(encoding="utf-8").split("\n## Recipes\n", 1)[1]
    (block,) = BLOCK.findall(dict(SECTION.findall(recipes))[title])
    return block


@pytest.fixture
def load(dialect: str, empty_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function from a recipe's title to a module that has run it, on an empty database."""
    made: list[types.ModuleType] = []

    def run(title: str) -> Any:
        monkeypatch.setenv(settings.URL_VARIABLE, empty_database_url(dialect))
        recipe = types.ModuleType("recipe")
        monkeypatch.setitem(sys.modules, "recipe", recipe)
        made.append(recipe)
        for part in (beginning(), code(title)):
            exec(compile(part, f"{PAGE.name}: {title}", "exec", dont_inherit=True), recipe.__dict__)  # type: ignore[attr-defined]
        recipe.Base.metadata.create_all(recipe.bind)
        return recipe

    yield run
    for recipe in made:
        recipe.bind.dispose()


def write(recipe: Any, *texts: str) -> list[int]:
    """Commit a note for each text and return their ids."""
    with scope.session_scope(recipe.sessions) as session:
        notes = [recipe.Note(text=text) for text in texts]
        session.add_all(notes)
        session.flush()
        return [note.id for note in notes]


def texts(recipe: Any) -> list[str]:
    """Return the committed notes in their order, read by an engine of its own."""
    engine = sa.create_engine(recipe.bind.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(recipe.Note.text).order_by(recipe.Note.id)))


class TestScript:
    def test_changes_what_it_finds_and_commits(self, load: Load):
        script = load("A script")
        write(script, "short", "a long one", "another long one")

        assert script.shorten(6) == 2
        assert texts(script) == ["short", "a long", "anothe"]
        assert script.bind.pool.checkedout() == 0


class TestThreads:
    def test_finish_each_note_in_a_session_of_its_own(self, load: Load):
        recipe = load("Threads")
        written = [f"note {number}" for number in range(12)]
        ids = write(recipe, *written)

        assert recipe.finish_all(ids) == written
        with scope.session_scope(recipe.sessions, readonly=True) as session:
            assert all(session.scalars(sa.select(recipe.Note.done)))
        assert recipe.bind.pool.checkedout() == 0


class TestNotebook:
    @pytest.fixture
    def notebook(self, load: Load) -> Iterator[Any]:
        notebook = load("A notebook")
        write(notebook, "as it was")
        yield notebook
        notebook.notebook.close()
        notebook.reading.dispose()

    def test_sees_the_present_in_an_object_of_an_earlier_cell(self, notebook: Any):
        note = notebook.now().scalars(sa.select(notebook.Note)).one()
        with scope.session_scope(notebook.sessions) as session:
            session.get_one(notebook.Note, note.id).text = "as it is"

        assert note.text == "as it was"
        notebook.now()
        assert note.text == "as it is"

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_stays_in_no_transaction_between_cells(self, notebook: Any):
        state = sa.text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
        pid = notebook.now().scalar(sa.text("SELECT pg_backend_pid()"))
        notebook.now().scalars(sa.select(notebook.Note)).all()

        with scope.session_scope(notebook.sessions, readonly=True) as session:
            assert session.scalar(state, {"pid": pid}) == "idle"

    def test_sends_no_change_that_was_only_tried(self, notebook: Any):
        note = notebook.now().scalars(sa.select(notebook.Note)).one()
        note.text = "tried"
        notebook.notebook.scalars(sa.select(notebook.Note)).all()

        assert texts(notebook) == ["as it was"]


class TestFactories:
    def test_make_what_requests_see_and_nothing_that_stays(self, load: Load):
        recipe = load("Factories in tests")
        with recipe.sandboxed() as sessions:
            first = recipe.NoteFactory.create(text="first")
            with scope.session_scope(sessions, readonly=True) as session:
                assert session.get_one(recipe.Note, first.id).text == "first"
            # After a read-only unit of work the factories can still write.
            second = recipe.NoteFactory.create()
            with scope.session_scope(sessions, readonly=True) as session:
                assert session.get_one(recipe.Note, second.id).text == "a note"

        assert texts(recipe) == []


class TestWorkers:
    def test_do_each_job_once_and_stop_when_told(self, load: Load):
        recipe = load("A worker")
        write(recipe, *(f"job {number}" for number in range(20)))

        assert run_workers(recipe, 2) == 20

        assert texts(recipe) == [f"job {number} (seen)" for number in range(20)]
        assert recipe.bind.pool.checkedout() == 0

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_skip_a_job_that_another_is_at(self, load: Load):
        recipe = load("A worker")
        locked, _free = write(recipe, "taken", "free")
        with scope.session_scope(recipe.sessions) as session:
            session.get_one(recipe.Note, locked, with_for_update=True)

            assert recipe.take_one()
            assert not recipe.take_one()
        assert texts(recipe) == ["taken", "free (seen)"]

    def test_go_on_after_a_fault_of_the_database(self, load: Load, caplog: pytest.LogCaptureFixture):
        recipe = load("A worker")
        write(recipe, "job")
        fail_first_query(recipe.bind)

        assert run_workers(recipe, 1) == 1

        assert "no_such_table" in caplog.text
        assert texts(recipe) == ["job (seen)"]


def run_workers(recipe: Any, count: int) -> int:
    """Let workers do all the jobs, tell them to stop as soon as one finds none, and return how many were done."""
    take_one = recipe.take_one
    done: list[bool] = []

    def take_one_or_stop() -> bool:
        found: bool = take_one()
        if found:
            done.append(found)
        else:
            recipe.stopping.set()
        return found

    recipe.take_one = take_one_or_stop
    with ThreadPoolExecutor(count) as threads:
        workers = [threads.submit(recipe.work, pause_seconds=0.01) for _ in range(count)]
        try:
            for worker in workers:
                worker.result(SECONDS_MAX)
        finally:
            recipe.stopping.set()
    return len(done)


def fail_first_query(engine: Engine) -> None:
    """Let the database refuse the engine's next query of the notes."""
    failed: list[str] = []

    def misspell(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        if "FROM notes" in statement and not failed:
            failed.append(statement)
            return statement.replace("FROM notes", "FROM no_such_table AS notes"), parameters
        return statement, parameters

    event.listen(engine, "before_cursor_execute", misspell, retval=True)
