"""The domain's own error in place of a constraint's, wherever the constraint speaks; any other stays a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationConflictError
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import constraints, errors, scope
from tests.integration.db.conftest import MakeNotes, Note, NotesApp

TABLE = """
    CREATE TABLE tallies (
        name text NOT NULL, day integer NOT NULL, count integer NOT NULL, owner integer,
        CONSTRAINT pk_tallies PRIMARY KEY (name, day),
        CONSTRAINT uq_tallies_count UNIQUE (count) {deferred},
        CONSTRAINT ck_tallies_count CHECK (count > 0),
        CONSTRAINT fk_tallies_owner FOREIGN KEY (owner) REFERENCES notes (id)
    )
"""

GOOD = {"name": "anna", "day": 1, "count": 1, "owner": None}
INSERT = sa.text("INSERT INTO tallies (name, day, count, owner) VALUES (:name, :day, :count, :owner)")

only_on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


class Refused(Exception):
    """The domain's own."""


@pytest.fixture
def make_tallies(make_notes: MakeNotes, dialect: str) -> Iterator[Callable[..., NotesApp]]:
    made: list[NotesApp] = []

    def make(view: Callable[[Request], Response], *names: str) -> NotesApp:
        def configure(config: Configurator) -> None:
            config.add_constraint_error(*names, error=lambda: Refused("there is one"))
            config.add_exception_view(lambda exc, _request: Response(str(exc), status=409), context=Refused)

        notes = make_notes(view, configure=configure)
        made.append(notes)
        with notes.engine.begin() as connection:
            deferred = "DEFERRABLE INITIALLY DEFERRED" if dialect == "postgresql" else ""
            connection.exec_driver_sql(TABLE.format(deferred=deferred))
            connection.execute(INSERT, GOOD)
        return notes

    yield make
    for notes in made:
        with notes.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE tallies")


def insert(**changed: object) -> Callable[[Request], Response]:
    def view(request: Request) -> Response:
        request.dbsession.execute(INSERT, {**GOOD, "name": "bert", "count": 2, **changed})
        return Response()

    return view


def add_in_flush(request: Request) -> Response:
    request.dbsession.execute(sa.insert(Note).values(id=1, text="first"))
    request.dbsession.add(Note(id=1, text="second"))
    return Response()


SAME_KEY = {"name": GOOD["name"]}


class TestConstraintErrors:
    @pytest.mark.parametrize(
        ("row", "names"),
        [
            (SAME_KEY, ["pk_tallies", "tallies.name, tallies.day"]),
            # Deferred on PostgreSQL: it speaks at COMMIT.
            ({"count": GOOD["count"]}, ["uq_tallies_count", "tallies.count"]),
            ({"count": 0}, ["ck_tallies_count"]),
        ],
        ids=["primary key", "unique", "check"],
    )
    def test_raise_the_domains_own(self, make_tallies, row: dict[str, object], names: list[str]):
        notes = make_tallies(insert(**row), *names)

        assert notes.client.post("/notes", status=409).text == "there is one"
        assert notes.checked_out() == 0

    def test_raise_the_domains_own_at_flush(self, make_tallies):
        notes = make_tallies(add_in_flush, "notes_pkey", "notes.id")

        assert notes.client.post("/notes", status=409).text == "there is one"

    def test_can_be_caught_around_a_part_that_may_fail(self, make_tallies):
        def view(request: Request) -> Response:
            try:
                with request.dbsession.begin_nested():
                    insert(**SAME_KEY)(request)
            except Refused:
                insert(day=2)(request)
            return Response()

        notes = make_tallies(view, "pk_tallies", "tallies.name, tallies.day")
        notes.client.post("/notes", status=200)

        with notes.engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM tallies")) == 2

    @only_on_postgresql
    def test_know_a_foreign_key_where_the_database_names_it(self, make_tallies, dialect: str):
        notes = make_tallies(insert(owner=99), "fk_tallies_owner")

        assert notes.client.post("/notes", status=409).text == "there is one"

    @pytest.mark.parametrize("row", [SAME_KEY, {"owner": 99}, {"name": None}], ids=["key", "foreign key", "null"])
    def test_leave_what_nobody_named_a_fault(self, make_tallies, row: dict[str, object]):
        notes = make_tallies(insert(**row), "ck_tallies_count")

        assert "IntegrityError" in notes.client.post("/notes", status=500).text
        assert errors.translate(sa.exc.IntegrityError("", {}, Exception())) is None

    def test_speak_in_a_scope_too(self, make_tallies):
        notes = make_tallies(insert())
        for name in ("pk_tallies", "tallies.name, tallies.day"):
            constraints.register(notes.engine, name, lambda: Refused("there is one"))

        with pytest.raises(Refused) as caught, scope.session_scope(notes.sessions) as session:
            session.execute(INSERT, {**GOOD, "count": 2})
        assert isinstance(caught.value.__cause__, notes.engine.dialect.loaded_dbapi.IntegrityError)

    def test_are_declared_once(self, make_notes: MakeNotes):
        def one(config: Configurator) -> None:
            config.add_constraint_error("uq_notes_text", error=Refused)

        def another(config: Configurator) -> None:
            config.add_constraint_error("uq_notes_text", error=Refused)

        def configure(config: Configurator) -> None:
            config.include(one)
            config.include(another)

        with pytest.raises(ConfigurationConflictError, match="uq_notes_text"):
            make_notes(insert(), configure=configure)
