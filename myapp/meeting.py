"""Meet the database at the start: make sure that it is the one the code needs, and learn what it is.

    myapp.upgrade_command → includeme → myapp.recording    the form in which it records
                                        myapp.is_current   what asks, at any later time, whether it is at the schema

Needs `myapp.db`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from pyramid.config import Configurator
from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import factory, scope
from myapp.ledger import recording
from myapp.migrations import head

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Meet the database of `myapp.db`.

    Raises:
        head.SchemaError: it cannot be reached, or is not at the current schema.
        settings.SettingsError: the form of recording that was chosen does not run on it.
    """
    registry = config.registry
    replicas = registry["db.replicas"].members if "db.replicas" in registry else ()
    engines = [registry["db.engine"], *(replica.engine for replica in replicas)]
    try:
        _require_schema(engines, registry["myapp.upgrade_command"])
        registry["myapp.is_current"] = head.is_current
        registry["myapp.recording"] = _form(registry["myapp.settings"].recording, registry["db.sessions"])
    finally:
        # A server may fork after this, and no two processes may share a connection.
        for engine in engines:
            engine.dispose()


def _require_schema(engines: Sequence[Engine], upgrade_command: str) -> None:
    """Ask the primary for its schema, and if it cannot be reached a replica: reads can be served without it.

    Raises:
        head.SchemaError: as `head.require`; if none can be reached, what the primary said.
    """
    primary, *replicas = engines
    try:
        head.require(primary, command=upgrade_command)
    except head.Unreachable as exc:
        for replica in replicas:
            with contextlib.suppress(head.Unreachable):
                head.require(replica, command=upgrade_command)
                log.warning("Only reads are served until there is a primary. %s", exc)
                return
        raise


def _form(chosen: settings.Recording, sessions: factory.Sessions) -> recording.Form:
    """Return the form of recording for this database.

    Raises:
        settings.SettingsError: the form that was chosen does not run on it.
    """
    # Whatever the setting says: at this isolation a replica may answer, where there is one.
    with scope.session_scope(sessions, readonly=True, primary=False, isolation="READ COMMITTED") as session:
        detected = recording.detect(session)
    if chosen is settings.Recording.AUTO:
        return detected
    if chosen is settings.Recording.STATEMENT and sessions.kw["bind"].dialect.name == "sqlite":
        raise settings.SettingsError(["myapp.recording = statement: SQLite records in steps; leave it at auto"])
    return recording.Form(chosen)
