"""Make the engine: one per process, with the database's policy in place from its first connection.

Who waits how long for what is set by the policies; who may do what is known to each unit of work (see `unit`).
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState

from myapp import settings
from myapp.db import errors, judging, unit
from myapp.db.databases import postgresql, sqlite
from myapp.db.limits import admission
from myapp.db.telemetry import measuring

# A connection at rest this long may have been closed by the server or something between: it is asked first.
IDLE_SECONDS_BEFORE_PING = 10.0

_built: weakref.WeakSet[Engine] = weakref.WeakSet()


class Policy(Protocol):
    """What a database needs of its own; the modules `sqlite` and `postgresql` are one each."""

    def engine_arguments(self, database: settings.Database, /) -> dict[str, Any]:
        """Return what `create_engine` needs beside the URL."""

    def listen(self, engine: Engine, database: settings.Database, /) -> None:
        """Set connections and units of work up."""

    def ping(self, dialect: Dialect, connection: Any, /) -> None:
        """Ask the driver's connection whether it still lives, and not for long."""

    def has_begun(self, connection: Any, /) -> bool:
        """Say whether the driver's connection is inside a transaction."""


def build(database: settings.Database, *, before_begin: Callable[[Connection], None] | None = None) -> Engine:
    """Return an engine for the database; no connection is made yet. `before_begin` is called before each BEGIN.

    Shape: a pool of `pool_size` connections without overflow, so that a request beyond it waits, bounded.
    """
    url = sa.make_url(database.url)
    policy = _policy(url.get_backend_name())
    lines = admission.Admission(database, one_writer=url.get_backend_name() == "sqlite")
    engine = sa.create_engine(
        url,
        execution_options={admission.OPTION: lines},
        hide_parameters=True,
        # See `_leave_no_transaction_open`.
        pool_reset_on_return=None,
        **policy.engine_arguments(database),
    )
    event.listen(engine, "commit", _let_owners_commit_in_time)
    with measuring.around(engine):
        if before_begin is not None:
            event.listen(engine, "begin", before_begin)
        policy.listen(engine, database)
        judging.listen(engine)
    _ping_after_idling(engine, policy)
    _leave_no_transaction_open(engine, policy.has_begun)
    _built.add(engine)
    return engine


def dispose_all() -> None:
    """Close what lies in the pool of every engine of the process, for whoever ends the process."""
    for engine in list(_built):
        engine.dispose()


def _policy(dialect: str) -> Policy:
    return sqlite if dialect == "sqlite" else postgresql


def _let_owners_commit_in_time(connection: Connection) -> None:
    work = unit.find(connection)
    if work is None:
        return
    if not work.may_commit:
        raise errors.SessionOwned(
            "commit() was called on the connection of a session. A unit of work is committed whole at its end, by the "
            "owner of its session."
        )
    if work.deadline is not None:
        work.deadline.require()


def _ping_after_idling(engine: Engine, policy: Policy) -> None:
    """Ask a connection that idled whether it still lives; a busy one saves the round trip.

    One that dies while busy fails its statement, the whole pool is renewed, and the request is retried.
    """
    dialect: Dialect = engine.dialect

    def remember(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info["idle_since"] = time.monotonic()

    def ping(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        if time.monotonic() - entry.info.get("idle_since", time.monotonic()) < IDLE_SECONDS_BEFORE_PING:
            return
        try:
            policy.ping(dialect, connection)
        except dialect.loaded_dbapi.Error as exc:
            raise sa_exc.DisconnectionError from exc

    event.listen(engine, "checkin", remember)
    event.listen(engine, "checkout", ping)


def _leave_no_transaction_open(engine: Engine, has_begun: Callable[[DBAPIConnection], bool]) -> None:
    """Roll back what was left open, before the connection serves anyone else.

    In place of SQLAlchemy's own rollback, which asks each connection that comes back, and takes one whose COMMIT failed
    for reset. On SQLite (a deferred constraint) and after an error in a `commit` listener it is still inside its
    transaction, and the next unit of work would find itself there.
    """

    def roll_back(connection: DBAPIConnection, _entry: ConnectionPoolEntry, _state: PoolResetState) -> None:
        if has_begun(connection):
            connection.rollback()

    event.listen(engine, "reset", roll_back)
