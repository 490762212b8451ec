"""The session where there are replicas: its first statement decides which server its unit of work is on.

Reads go to a replica; writes, and reads that must not be late, go to the primary. After the commit of a write the unit
of work knows its position, which its client may send back to see at least that much. See docs/sessions.md, "Replicas".
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import SessionTransaction

from myapp.db import errors, factory
from myapp.db.factory import Sessions
from myapp.db.replication.position import PRIMARY_ONLY
from myapp.db.replication.replicas import ANSWER_SECONDS, Replicas
from myapp.db.session import UnitOfWorkSession

log = logging.getLogger(__name__)

# What was inserted into the log, flushed or not: no commit that anyone has seen lies behind it.
HERE = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"


def build(bind: Engine, known: Replicas) -> Sessions:
    """Return the session factory of a process whose primary, `bind`, has replicas."""
    sessions = factory.build(bind, RoutedSession)
    sessions.configure(replicas=known)
    return sessions


class RoutedSession(UnitOfWorkSession):
    """A unit of work on the primary or on a replica.

    Raises:
        ReadOnly: it may write, and the primary cannot be reached.
    """

    def __init__(self, bind: Any = None, *, replicas: Replicas, **options: Any) -> None:
        super().__init__(bind, **options)
        self.connection_held: Connection | None = None
        self._replicas = replicas

    def _enter(self, bind: Engine | Connection) -> Engine | Connection:
        full: errors.Overloaded | None = None
        for replica in self._replicas.for_work(self.unit):
            try:
                super()._enter(replica.engine)
            except errors.Overloaded as exc:
                full = exc
                continue
            if replica.serves(self.unit.position):
                self.unit.begin_seconds = ANSWER_SECONDS
                # Every statement asks for it again.
                self.bind = replica.engine
                return replica.engine
            self._leave()
        if full is not None:
            # The primary is there for the writes, not for more reads than its replicas can bear.
            raise full
        super()._enter(bind)
        if not self.unit.readonly:
            _require_primary(bind)
        return bind


def _require_primary(bind: Engine | Connection) -> None:
    """Find out before a write begins whether there is a primary, since without one reads still go on."""
    try:
        bind.engine.raw_connection().close()
    except psycopg.Error as exc:
        raise errors.ReadOnly("The primary database cannot be reached; reads go on.") from exc


def _hold(session: RoutedSession, _transaction: SessionTransaction, connection: Connection) -> None:
    session.connection_held = connection


def _note_position(session: RoutedSession) -> None:
    """Ask where the log is now, on the connection that has just committed and still is ours."""
    held, unit = session.connection_held, session.unit
    if held is None or session.in_nested_transaction():
        return
    # A read that asked for the primary alone, since its client knew no position, learns one.
    if not unit.readonly or unit.position == PRIMARY_ONLY:
        unit.position = _here(held)


def _here(held: Connection) -> int:
    driver: Any = held.connection.driver_connection
    try:
        position: int = driver.execute(HERE).fetchone()[0]
    except psycopg.Error as exc:
        # The work is committed, whatever this means; and where nobody knows, the primary does.
        log.warning("no position after a commit: %s", exc)
        held.invalidate(exc)
        return PRIMARY_ONLY
    return position


event.listen(RoutedSession, "after_begin", _hold)
event.listen(RoutedSession, "after_commit", _note_position)
