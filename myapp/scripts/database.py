"""Reach the database that an ini file names, for one run of a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import engine, factory
from myapp.migrations import head

DEFAULT_INI = "development.ini"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What a command works with: where sessions come from, and the application's settings."""

    sessions: factory.Sessions
    application: settings.Application


@contextmanager
def opened(ini: str | None, environ: Mapping[str, str]) -> Iterator[Database]:
    """Lend the database, which is at the current schema.

    Raises:
        settings.SettingsError: there is no such file, or a setting in it is bad.
        head.SchemaError: the database cannot be reached, or is at another schema.
    """
    read = settings.read(_raw(ini, environ), environ)
    made = engine.build(read.database)
    head.require(made)
    try:
        yield Database(sessions=factory.build(made), application=read.application)
    finally:
        made.dispose()


@contextmanager
def two_opened(ini: str | None, environ: Mapping[str, str]) -> Iterator[tuple[Engine, Engine]]:
    """Lend the first database and the second, of whatever schema.

    Raises:
        settings.SettingsError: there is no such file, a setting in it is bad, or it names no second database.
    """
    read = settings.read(_raw(ini, environ), environ).database
    if read.second_url is None:
        raise settings.SettingsError(["sqlalchemy.second_url is not set, so there is no second database"])
    first, second = (engine.build(replace(read, url=url)) for url in (read.url, read.second_url))
    try:
        yield first, second
    finally:
        first.dispose()
        second.dispose()


def _raw(ini: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    if ini is None and settings.URL_VARIABLE in environ and not Path(DEFAULT_INI).exists():
        return {}
    if ini is None and not Path(DEFAULT_INI).exists():
        raise settings.SettingsError(
            [f"there is no {DEFAULT_INI} here; name a file with --ini, or set {settings.URL_VARIABLE}"]
        )
    return settings.read_ini(ini or DEFAULT_INI)
