"""The replicas of the primary: which of them can be read from now, and how far each has come.

A replica that refuses or breaks is left alone for some seconds; then one unit of work tries it again, while the others
are still served elsewhere.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
import pyramid_retry
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, ExceptionContext

from myapp import settings
from myapp.db import engine, errors, unit
from myapp.db.replication.position import PRIMARY_ONLY
from myapp.db.unit import Unit

log = logging.getLogger(__name__)

LEFT_ALONE_SECONDS = 5.0
# BEGIN costs a server nothing: one that needs longer serves nobody.
ANSWER_SECONDS = 1.0

# How far a connection's server has come, as far as that connection was told.
REPLAYED = "db.replayed"

# A standby knows no serializable transactions.
PRIMARY_ISOLATION = "SERIALIZABLE"

# A replica that was promoted goes on writing the log that it replayed before.
HOW_FAR = """
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END
        - '0/0'::pg_lsn)::bigint
"""


def how_far(driver: Any) -> int:
    """Return how far the server has come that the driver's connection speaks to."""
    replayed: int = driver.execute(HOW_FAR).fetchone()[0]
    return replayed


class Replica:
    """One replica, as this process knows it."""

    def __init__(self, database: settings.Database) -> None:
        self.engine = engine.build(database, before_begin=self._require_replayed)
        self._lock = threading.Lock()
        self._answers = False
        self._replayed = 0
        self._ask_at = 0.0
        event.listen(self.engine, "handle_error", self._note_error)

    def serves(self, position: int | None) -> bool:
        """Say whether to read from it now, and see everything up to the position.

        Asked is only a replica that is new or was left alone, and one that is not known to have come so far.
        """
        if not self._answers and not self._may_try():
            return False
        if not self._answers or self.is_before(position):
            self._ask()
        return self._answers and not self.is_before(position)

    def is_before(self, position: int | None) -> bool:
        """Say whether it may not have replayed everything up to the position, as far as is known."""
        return position is not None and self._replayed < position

    def _may_try(self) -> bool:
        """Let one of those who come after the pause try, and the others go elsewhere meanwhile."""
        with self._lock:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            self._ask_at = now + LEFT_ALONE_SECONDS
            return True

    def _require_replayed(self, connection: Connection) -> None:
        """Make sure of the very connection that will read: the pool may have made it anew, to an older copy.

        Before its transaction begins, since at a stricter isolation that fixes what it sees.

        Raises:
            Conflict: it is behind; the next attempt asks before it comes here.
        """
        position = unit.of(connection).position
        if position is None or connection.info.get(REPLAYED, 0) >= position:
            return
        driver: Any = connection.connection.driver_connection
        driver.answer_by = time.monotonic() + ANSWER_SECONDS
        try:
            connection.info[REPLAYED] = replayed = how_far(driver)
        except psycopg.Error as exc:
            self.forget_how_far()
            connection.invalidate(exc)
            raise errors.Conflict("The replica was lost while the request began; nothing was read.") from exc
        if replayed < position:
            self.forget_how_far()
            raise errors.Conflict("The replica has not come as far as it had; nothing was read.")

    def forget_how_far(self) -> None:
        """Ask again before the next read with a position: who answers there may be another one."""
        self._replayed = 0

    def _ask(self) -> None:
        try:
            replayed = self._how_far()
            with self._lock:
                self._replayed = replayed
                self._answers = True
        except (psycopg.Error, sa_exc.SQLAlchemyError) as exc:
            self._leave_alone(exc)
            # What lies in the pool is as dead, and would be found so only one by one.
            self.engine.dispose()

    def _how_far(self) -> int:
        connection = self.engine.raw_connection()
        try:
            # The driver's own: SQLAlchemy's would begin a transaction first, and end it.
            driver: Any = connection.driver_connection
            driver.answer_by = time.monotonic() + ANSWER_SECONDS
            return how_far(driver)
        except psycopg.Error:
            connection.invalidate()
            raise
        finally:
            connection.close()

    def _note_error(self, context: ExceptionContext) -> None:
        exc = context.sqlalchemy_exception
        if exc is not None and (context.is_disconnect or context.connection is None):
            self._leave_alone(exc)
            # Nothing is lost with a read, and another server answers it.
            found = errors.meaning(exc) or errors.LOST
            errors.note(exc, dataclasses.replace(found, is_retryable=True))
            pyramid_retry.mark_error_retryable(exc)

    def _leave_alone(self, exc: Exception) -> None:
        with self._lock:
            self._answers = False
            # When it comes back, it may be another one, made from an older copy.
            self._replayed = 0
            self._ask_at = time.monotonic() + LEFT_ALONE_SECONDS
        log.warning("replica %s is left alone for %g s: %s", self.engine.url, LEFT_ALONE_SECONDS, exc)


class Replicas:
    """All of them, in turns; `isolation` is that of a unit of work that declares none."""

    def __init__(self, replicas: Sequence[Replica], *, isolation: str | None) -> None:
        self.members = tuple(replicas)
        self._isolation = isolation
        self._turns = itertools.count()

    def for_work(self, unit: Unit) -> Sequence[Replica]:
        """Return those that may do the work, beginning with another one each time; none if only the primary may."""
        isolation = unit.isolation or self._isolation
        if not unit.readonly or unit.primary or isolation == PRIMARY_ISOLATION or unit.position == PRIMARY_ONLY:
            return ()
        first = next(self._turns) % len(self.members)
        return self.members[first:] + self.members[:first]


def build(database: settings.Database) -> Replicas:
    """Return the replicas of the settings; no connection is made yet."""
    known = [Replica(dataclasses.replace(database, url=url)) for url in database.replica_urls]
    return Replicas(known, isolation=database.isolation)
