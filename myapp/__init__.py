"""A double-entry ledger served as an HTTP JSON API, where one request is one database transaction.

`main` alone puts the rooms together; it names them by dotted string, so that no room imports another for it,
and whoever imports one does not import all.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyramid.config import Configurator
from pyramid.router import Router

from myapp import errors, settings

# The file whose database `alembic upgrade head` migrates.
DEFAULT_INI = "development.ini"


def main(global_config: dict[str, str], **raw_settings: str) -> Router:
    """Return the WSGI application, as `pserve` and the tests make it.

    Raises:
        SystemExit: settings are missing, unknown or malformed, or the database cannot be reached or has another
            schema; the message says what to do.
    """
    try:
        return _make(raw_settings, upgrade_command=_upgrade_command(global_config.get("__file__")))
    except errors.MyappError as exc:
        # Whoever starts a server is helped by the message, not by a traceback through the server.
        sys.exit(f"myapp cannot start. {exc}")


def _make(raw_settings: dict[str, str], *, upgrade_command: str) -> Router:
    read = settings.read(raw_settings, os.environ)
    with Configurator(settings=dict(raw_settings)) as config:
        config.registry["myapp.settings"] = read.application
        config.registry["myapp.upgrade_command"] = upgrade_command
        config.include("myapp.db")
        config.include("myapp.meeting")
        config.include("myapp.api")
    return config.make_wsgi_app()


def _upgrade_command(ini_file: str | None) -> str:
    """Return the command that brings the database of this start to the current schema."""
    if ini_file is None or Path(ini_file).name == DEFAULT_INI or os.environ.get(settings.URL_VARIABLE):
        return "alembic upgrade head"
    return f"alembic -x ini={ini_file} upgrade head"
