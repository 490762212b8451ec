"""Fixtures for every test that needs a database: real ones, and sessions that really commit.

Tests share a database; each makes a ledger of its own under a random name and relies on no table being empty.
The run's own directory holds everything it makes; the process that started the run clears it at the end.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from tests import databases, own_postgresql, postgresql_server

if TYPE_CHECKING:
    from myapp.ledger import model

pytest_plugins = ["pytester", "tests.rigs", "tests.two_databases", "tests.variants"]

DIALECTS = ("sqlite", "postgresql")
DIRECTORY = pytest.StashKey[Path]()
SERVER_VARIABLE = "MYAPP_TEST_DATABASE_URL"


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's directory, or take it from the process that started this worker."""
    for variable in settings.VARIABLES:
        os.environ.pop(variable, None)
    if hasattr(config, "workerinput"):
        config.stash[DIRECTORY] = Path(config.workerinput["directory"])
        return
    config.stash[DIRECTORY] = Path(tempfile.mkdtemp(prefix="myapp_test_"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["directory"] = str(node.config.stash[DIRECTORY])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind, also after Ctrl-C."""
    if hasattr(config, "workerinput") or DIRECTORY not in config.stash:
        return
    directory = config.stash[DIRECTORY]
    try:
        own_postgresql.stop_all(directory)
        if SERVER_VARIABLE in os.environ:
            databases.drop_all(os.environ[SERVER_VARIABLE], directory.name)
        else:
            postgresql_server.stop(directory)
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def run_directory(request: pytest.FixtureRequest) -> Path:
    """Return the directory that ends with the run."""
    return request.config.stash[DIRECTORY]


@pytest.fixture(scope="session")
def databases_of(run_directory: Path) -> Callable[[str], databases.Databases]:
    """Return a function from a dialect to its databases; PostgreSQL starts when it is first asked for."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

    @functools.cache
    def of(dialect: str) -> databases.Databases:
        if dialect == "sqlite":
            return databases.SqliteDatabases(run_directory / worker)
        server_url = os.environ.get(SERVER_VARIABLE) or postgresql_server.url(run_directory)
        return databases.PostgresqlDatabases(server_url, f"{run_directory.name}_{worker}")

    return of


@pytest.fixture(scope="session", params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def database_url(dialect: str, databases_of: Callable[[str], databases.Databases]) -> str:
    """Return the URL of the migrated database that the tests of this process share."""
    return databases_of(dialect).shared


@pytest.fixture
def fresh_database_url(databases_of: Callable[[str], databases.Databases]) -> Iterator[Callable[[str], str]]:
    """Return a function from a dialect to the URL of a new migrated database, dropped after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda dialect: stack.enter_context(databases_of(dialect).private())


@pytest.fixture
def empty_database_url(databases_of: Callable[[str], databases.Databases]) -> Iterator[Callable[[str], str]]:
    """Return a function from a dialect to the URL of a new database without a table, dropped after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda dialect: stack.enter_context(databases_of(dialect).private_empty())


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = engines.build(settings.Database(url=database_url, application_name="myapp tests"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sessions(engine: Engine) -> sessionmaker[Session]:
    return factory.build(engine)


@pytest.fixture
def ledger(sessions: sessionmaker[Session]) -> model.Ledger:
    """Return a new, committed ledger with a random name."""
    from myapp.ledger import operations

    with scope.session_scope(sessions) as session:
        name = f"ledger-{secrets.token_hex(8)}"
        return operations.create_ledger(session, name, metadata={}, now=datetime(2026, 1, 1, tzinfo=UTC))
