"""Databases for the tests: migrated once by Alembic, then copied in milliseconds for whoever needs one alone."""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa

from myapp import settings


def alembic_config(url: str) -> alembic.config.Config:
    """Return Alembic's configuration for one database, as `alembic.ini` gives it for the application's."""
    config = alembic.config.Config()
    config.set_main_option("script_location", "myapp:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["database"] = settings.Database(url=url)
    return config


class Databases(ABC):
    """The databases of one kind that one test process makes."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    @abstractmethod
    def empty(self) -> str:
        """Return the URL of a new database without any table."""

    @abstractmethod
    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database nobody is connected to."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Remove a database, also one that is still in use."""

    @functools.cached_property
    def template(self) -> str:
        """The URL of a migrated database that nobody connects to."""
        url = self.empty()
        alembic.command.upgrade(alembic_config(url), "head")
        return url

    @functools.cached_property
    def shared(self) -> str:
        """The URL of the migrated database that the tests of this process share."""
        return self.copy(self.template)

    @contextlib.contextmanager
    def private(self) -> Iterator[str]:
        """Lend the URL of a new migrated database."""
        url = self.copy(self.template)
        yield url
        self.drop(url)

    @contextlib.contextmanager
    def private_empty(self) -> Iterator[str]:
        """Lend the URL of a new database without any table."""
        url = self.empty()
        yield url
        self.drop(url)


class SqliteDatabases(Databases):
    """Files in a directory that ends with the run."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._directory.mkdir()

    def empty(self) -> str:
        return f"sqlite:///{self._directory / f'{next(self._numbers)}.sqlite'}"

    def copy(self, url: str) -> str:
        new = self.empty()
        shutil.copyfile(_path(url), _path(new))
        return new

    def drop(self, url: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{_path(url)}{suffix}").unlink(missing_ok=True)


class PostgresqlDatabases(Databases):
    """Databases of one server, whose names begin with `prefix`."""

    def __init__(self, server_url: str, prefix: str) -> None:
        super().__init__()
        self._server_url = server_url
        self._prefix = prefix

    def empty(self) -> str:
        return self._create("")

    def copy(self, url: str) -> str:
        return self._create(f"TEMPLATE {sa.make_url(url).database}")

    def drop(self, url: str) -> None:
        _execute(self._server_url, f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def _create(self, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        _execute(self._server_url, f"CREATE DATABASE {name} {template}")
        return sa.make_url(self._server_url).set(database=name).render_as_string(hide_password=False)


def drop_all(server_url: str, prefix: str) -> None:
    """Drop the databases of a server whose names begin with `prefix`, also those in use."""
    engine = sa.create_engine(server_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        pattern = prefix.replace("_", r"\_") + "%"
        query = sa.text("SELECT datname FROM pg_database WHERE datname LIKE :pattern")
        names = connection.scalars(query, {"pattern": pattern}).all()
    for name in names:
        _execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _execute(server_url: str, statement: str) -> None:
    engine = sa.create_engine(server_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def _path(url: str) -> Path:
    return Path(sa.make_url(url).database or "")
