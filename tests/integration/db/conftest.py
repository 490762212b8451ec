"""A small application that knows nothing but notes: what any application gets from `config.include("myapp.db")`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import orm
from sqlalchemy.engine import Engine

from myapp.db.factory import Sessions
from myapp.db.unit import Unit

METHODS = ("GET", "HEAD", "POST")

# Each of them would run far longer than any test waits; and end, where what is to end it is broken.
ENDLESS = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000000) SELECT count(*) FROM n"
    ),
}


class Base(orm.DeclarativeBase):
    pass


class Note(Base):
    """A note; `parent_id` is checked at COMMIT only, so a commit can be made to fail."""

    __tablename__ = "notes"
    id: orm.Mapped[int] = orm.mapped_column(sa.Integer, primary_key=True)
    text: orm.Mapped[str]
    parent_id: orm.Mapped[int | None] = orm.mapped_column(
        sa.ForeignKey("notes.id", deferrable=True, initially="DEFERRED")
    )


@dataclass
class NotesApp:
    """The application under test, with the means to look at it from outside."""

    client: webtest.TestApp
    engine: Engine
    sessions: Sessions

    def texts(self) -> list[str]:
        """Return the committed notes, read on a connection of their own."""
        with self.engine.connect().execution_options(db_unit=Unit(readonly=True)) as connection:
            return sorted(connection.scalars(sa.select(Note.text)))

    def checked_out(self) -> int:
        return self.engine.pool.checkedout()


class ServerError(Exception):
    """Raised by a view that fails."""


def say_what_failed(exc: Exception, _request: Request) -> Response:
    return Response(f"{type(exc).__name__}: {exc}", status=500)


MakeNotes = Callable[..., NotesApp]


@pytest.fixture(scope="session")
def notes_url(dialect: str, databases_of: Any) -> Iterator[str]:
    with databases_of(dialect).private_empty() as url:
        engine = sa.create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        yield url


@pytest.fixture
def make_notes(notes_url: str) -> Iterator[MakeNotes]:
    """Return a function that makes the application around one view, with `db={…}` and settings of the test's own."""
    made: list[NotesApp] = []

    def make(
        view: Callable[[Request], Response],
        *,
        db: dict[str, object] | None = None,
        catch_all: bool = True,
        configure: Callable[[Configurator], None] = lambda config: None,
        **settings: str,
    ) -> NotesApp:
        config = Configurator(settings={"sqlalchemy.url": notes_url, **settings})
        config.include("myapp.db")
        config.add_route("notes", "/notes")
        config.add_view(view, route_name="notes", request_method=METHODS, **({} if db is None else {"db": db}))
        if catch_all:
            config.add_exception_view(say_what_failed, context=Exception)
        configure(config)
        app = config.make_wsgi_app()
        registry = app.registry
        made.append(NotesApp(webtest.TestApp(app), registry["db.engine"], registry["db.sessions"]))
        return made[-1]

    yield make
    for notes in made:
        with notes.engine.begin() as connection:
            connection.execute(sa.delete(Note))
        notes.engine.dispose()
        replicas = notes.client.app.registry.get("db.replicas")
        for replica in replicas.members if replicas else ():
            replica.engine.dispose()


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Return a list that fills with every SQL statement any engine runs."""
    seen: list[str] = []

    def see(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(Engine, "before_cursor_execute", see)
    yield seen
    sa.event.remove(Engine, "before_cursor_execute", see)
