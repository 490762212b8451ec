"""The domain's own error in place of a database constraint's.

    config.add_constraint_error("uq_notes_text", "notes.text", error=lambda: TextTaken("There is such a note."))

Whoever breaks that constraint raises that error, wherever it comes to light: in the view, at flush or at commit. It is
recognised by name, as the database tells it. PostgreSQL names every constraint. SQLite names a CHECK, and an index on
an expression; of a UNIQUE or PRIMARY KEY it tells the columns ("notes.text", or "notes.day, notes.text"), of a foreign
key nothing. A constraint that nobody named here stays a fault of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pyramid.config import Configurator
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Engine, ExceptionContext

OPTION = "db_constraint_errors"

# The second where there are two databases.
ENGINES = ("db.engine", "db.second.engine")

MakeError = Callable[[], Exception]

# SQLite has no other field for it.
_SQLITE = re.compile(r"(UNIQUE|CHECK) constraint failed: (index ')?(?P<name>[^']+)'?")


def includeme(config: Configurator) -> None:
    """Add the directive."""
    config.add_directive("add_constraint_error", add_constraint_error)


def add_constraint_error(config: Configurator, *names: str, error: MakeError) -> None:
    """Raise an error of one's own where one of these constraints refuses a row; a directive of the configurator."""
    engines = [config.registry[key] for key in ENGINES if key in config.registry]
    for name in names:
        for number, engine in enumerate(engines):
            config.action(("db constraint", name, number), register, (engine, name, error))


def register(engine: Engine, name: str, error: MakeError) -> None:
    """Do the same for an engine without an application, a script's."""
    known: dict[str, MakeError] = engine.get_execution_options()[OPTION]
    known[name] = error


def listen(engine: Engine) -> None:
    """Let the engine raise the errors that are registered for it."""
    engine.update_execution_options(**{OPTION: {}})
    event.listen(engine, "handle_error", _domain_error)


def _domain_error(context: ExceptionContext) -> Exception | None:
    """Return the error to raise in place of the database's, if one was registered for its constraint."""
    exc = context.sqlalchemy_exception
    if not isinstance(exc, sa_exc.IntegrityError) or context.engine is None:
        return None
    known: dict[str, MakeError] = context.engine.get_execution_options().get(OPTION, {})
    error = known.get(_name(exc) or "")
    return None if error is None else error()


def _name(exc: sa_exc.IntegrityError) -> str | None:
    diagnostics = getattr(exc.orig, "diag", None)
    if diagnostics is not None:
        name: str | None = diagnostics.constraint_name
        return name
    found = _SQLITE.fullmatch(str(exc.orig))
    return found["name"] if found else None
