"""What a read costs its database: which indexes its statements use, and how much they read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import tables

# How often SQLite is asked how far it is, in steps of its machine; some ten of these read an entry of an index.
STEPS = 10
# As of when PostgreSQL explains a plan for any values.
EXPLAINS_GENERIC = (16,)


@dataclass
class Effort:
    """`read` is rows on PostgreSQL, and pages where those are more; on SQLite it is steps of its machine by ten.

    `generic` has the indexes of the plans that PostgreSQL (as of 16) makes without looking at the values: to those of a
    prepared statement it may turn by itself. What they scan is in `scanned` as well. `sorted` is how many rows were
    sorted as a whole; on SQLite whether any were.
    """

    indexes: set[str] = field(default_factory=set)
    generic: set[str] = field(default_factory=set)
    scanned: set[str] = field(default_factory=set)
    read: int = 0
    sorted: int = 0
    statements: int = 0


def of(
    engine: Engine, sessions: sessionmaker[Session], work: Callable[[Session], object], *, readonly: bool = True
) -> Effort:
    """Do some work and undo it; then explain each of its SELECTs and WITHs, in a transaction that is rolled back."""
    with _seen(engine) as seen, scope.session_scope(sessions, readonly=readonly) as session, scope.discarded(session):
        work(session)
    effort = Effort(statements=len(seen))
    with engine.connect() as connection:
        for statement, values in seen:
            EXPLAIN[engine.dialect.name](connection, statement, values, effort)
    return effort


@contextmanager
def _seen(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def see(_connection: object, _cursor: object, statement: str, values: Any, *_more: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append((statement, values))

    sa.event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", see)


def _explain_on_sqlite(connection: Connection, statement: str, values: Any, effort: Effort) -> None:
    driver = connection.connection.driver_connection
    for *_, what in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values):
        effort.sorted += what == "USE TEMP B-TREE FOR ORDER BY"
        used = re.match(r"(?:SEARCH|SCAN) (\w+)(.*)", what)
        if used is None:
            continue
        # One that occurs twice is numbered.
        table = re.sub(r"_\d+\Z", "", used[1])
        if table not in tables.metadata.tables:
            continue
        if what.startswith("SCAN"):
            effort.scanned.add(table)
        index = re.search(r"INDEX (\w+)", used[2])
        effort.indexes.add(index[1] if index else f"{table}{used[2][:20]}")
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    driver.set_progress_handler(count, STEPS)
    driver.execute(statement, values).fetchall()
    driver.set_progress_handler(None, 0)
    effort.read += steps[0]


def _explain_on_postgresql(connection: Connection, statement: str, values: Any, effort: Effort) -> None:
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", values)
    plan = _plan(explained)
    rows = 0
    for node in _scans(plan, effort.indexes, effort.scanned):
        if "Relation Name" in node:
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            rows += round(each * node["Actual Loops"])
    effort.sorted += sum(round(node["Actual Rows"]) for node in _nodes(plan) if node["Node Type"] == "Sort")
    effort.read += max(rows, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    if connection.dialect.server_version_info >= EXPLAINS_GENERIC:
        explained = connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {_numbered(statement)}")
        _scans(_plan(explained), effort.generic, effort.scanned)


def _plan(explained: CursorResult[Any]) -> dict[str, Any]:
    told = explained.scalar_one()
    plan: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return plan


def _numbered(statement: str) -> str:
    """Return a statement with its parameters as the server names them."""
    names: list[str] = []

    def number(named: re.Match[str]) -> str:
        if named[1] not in names:
            names.append(named[1])
        return f"${names.index(named[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", number, statement)


def _scans(plan: dict[str, Any], indexes: set[str], scanned: set[str]) -> list[dict[str, Any]]:
    """Note what a plan reads along, and return the nodes of it that read."""
    nodes = [node for node in _nodes(plan) if "Scan" in node["Node Type"]]
    for node in nodes:
        if "Index Name" in node:
            indexes.add(node["Index Name"])
        elif "Relation Name" in node and node["Node Type"] == "Seq Scan":
            scanned.add(node["Relation Name"])
    return nodes


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


EXPLAIN: dict[str, Callable[[Connection, str, Any, Effort], None]] = {
    "sqlite": _explain_on_sqlite,
    "postgresql": _explain_on_postgresql,
}
