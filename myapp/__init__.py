"""A double-entry ledger served as an HTTP JSON API, where one request is one database transaction.

`main` alone puts the rooms together; it names them by dotted string, so that no room imports another for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.router import Router
from sqlalchemy.engine import Engine

from myapp import errors, settings
from myapp.db import factory, scope
from myapp.ledger import recording
from myapp.migrations import head

log = logging.getLogger(__name__)

# The file whose database `alembic upgrade head` migrates.
DEFAULT_INI = "development.ini"


def main(global_config: dict[str, str], **raw_settings: str) -> Router:
    """Return the WSGI application, as `pserve` and the tests make it.

    Raises:
        SystemExit: settings are missing, unknown or malformed, or the database cannot be reached or has another
            schema; the message says what to do.
    """
    try:
        return make_application(raw_settings, upgrade_command=_upgrade_command(global_config.get("__file__")))
    except errors.MyappError as exc:
        # Whoever starts a server is helped by the message, not by a traceback through the server.
        sys.exit(f"myapp cannot start. {exc}")


def make_application(raw_settings: dict[str, str], *, upgrade_command: str) -> Router:
    """Return the WSGI application.

    Raises:
        settings.SettingsError: settings are missing, unknown or malformed; all are listed.
        head.SchemaError: the database cannot be reached, or is not at the current schema.
    """
    read = settings.read(raw_settings, os.environ)
    with Configurator(settings=dict(raw_settings)) as config:
        config.registry["myapp.settings"] = read.application
        config.include("myapp.db")
        _meet_database(config.registry, read.application, upgrade_command=upgrade_command)
        config.include("myapp.api")
    return config.make_wsgi_app()


def _meet_database(registry: Registry, application: settings.Application, *, upgrade_command: str) -> None:
    """Make sure that the database is the one the code needs, and learn what it is."""
    replicas = registry["db.replicas"].members if "db.replicas" in registry else ()
    engines = [registry["db.engine"], *(replica.engine for replica in replicas)]
    try:
        _require_schema(engines, upgrade_command)
        registry["myapp.is_current"] = head.is_current
        registry["myapp.recording"] = _form(application.recording, registry["db.sessions"])
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


def _upgrade_command(ini_file: str | None) -> str:
    """Return the command that brings the database of this start to the current schema."""
    if ini_file is None or Path(ini_file).name == DEFAULT_INI or os.environ.get(settings.URL_VARIABLE):
        return "alembic upgrade head"
    return f"alembic -x ini={ini_file} upgrade head"


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
