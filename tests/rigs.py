"""Servers of a test's own: what they need beyond the run's shared one, started by the first test that asks.

Where a machine lacks a program that some tests need, those are left out, and the run says how many they were.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import hledger, pgbouncer
from tests.own_postgresql import OwnPostgresql
from tests.postgresql_pair import PostgresqlPair

LEFT_OUT = pytest.StashKey[dict[str, int]]()
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def kept_postgresql(run_directory: Path) -> Iterator[OwnPostgresql]:
    yield from _kept(run_directory, WORKER)


@pytest.fixture
def own_postgresql(kept_postgresql: OwnPostgresql) -> Iterator[OwnPostgresql]:
    """Lend a server that the test may stop, restart and freeze; databases are the test's own to name and to drop."""
    yield kept_postgresql
    kept_postgresql.restore()


@pytest.fixture(scope="session")
def kept_other_postgresql(run_directory: Path) -> Iterator[OwnPostgresql]:
    yield from _kept(run_directory, f"{WORKER}_other")


@pytest.fixture
def other_postgresql(kept_other_postgresql: OwnPostgresql) -> Iterator[OwnPostgresql]:
    """Lend a second server on the same terms, where a test needs two that know nothing of each other."""
    yield kept_other_postgresql
    kept_other_postgresql.restore()


@pytest.fixture(scope="session")
def kept_postgresql_pair(run_directory: Path) -> Iterator[PostgresqlPair]:
    pair = PostgresqlPair(run_directory, WORKER)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@pytest.fixture
def postgresql_pair(kept_postgresql_pair: PostgresqlPair) -> Iterator[PostgresqlPair]:
    """Lend a primary with a streaming standby that has caught up; the test may stop, pause and promote them."""
    yield kept_postgresql_pair
    kept_postgresql_pair.restore()


@pytest.fixture(scope="session")
def through_pgbouncer(run_directory: Path) -> Iterator[Callable[[str], str]]:
    """Return a function from a URL to one of the same database through a PgBouncer of its own."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(pgbouncer.pgbouncer(url, run_directory))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the machine cannot run."""
    counts = config.stash.setdefault(LEFT_OUT, {})
    for marker, program, needed in (
        ("needs_pgbouncer", pgbouncer.PROGRAM, "PgBouncer (Debian package pgbouncer)"),
        ("oracle", hledger.PROGRAM, "hledger (Debian package hledger)"),
    ):
        left_out = [item for item in items if program is None and item.get_closest_marker(marker)]
        if left_out:
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)
            counts[needed] = len(left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this worker, which collects nothing itself."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    # Each worker collects every test.
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, never silently."""
    for needed, count in terminalreporter.config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out: {count} tests that need {needed}", yellow=True)


def _kept(run_directory: Path, name: str) -> Iterator[OwnPostgresql]:
    server = OwnPostgresql(run_directory, name)
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.stop(immediate=True)
