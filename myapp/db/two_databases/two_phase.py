"""Two databases in one request: `request.second_dbsession`, committed together with `request.dbsession` or not at all.

Of use where `sqlalchemy.second_url` is set; PostgreSQL only. A request that writes in both ends so:

    first    INSERT the decision            COMMIT
    second                      PREPARE               COMMIT PREPARED

The first one's COMMIT is the moment that counts: before it, nothing of the request stays anywhere; after it, all of it
does, if need be by `recovery`. A request that used one of the two, or wrote nothing in the second, knows none of this.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import psycopg
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.events import ApplicationCreated
from pyramid.request import Request
from sqlalchemy.engine import Connection
from zope.sqlalchemy.datamanager import STATUS_CHANGED

from myapp import settings
from myapp.db import engine, errors, factory, request_session
from myapp.db.session import UnitOfWorkSession
from myapp.db.two_databases import decisions, prepared, recovery
from myapp.db.two_databases.decisions import Decision

log = logging.getLogger(__name__)

_WROTE = sa.text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


def includeme(config: Configurator) -> None:
    """Add the second engine, its session factory and the request's session."""
    database: settings.Database = config.registry["db.settings"]
    bind = engine.build(dataclasses.replace(database, url=str(database.second_url), replica_urls=()))
    config.registry["db.second.engine"] = bind
    config.registry["db.second.sessions"] = factory.build(bind)
    config.add_request_method(second_dbsession, reify=True)
    config.add_subscriber(_meet_databases, ApplicationCreated)


def second_dbsession(request: Request) -> UnitOfWorkSession:
    """Make the request's session on the second database and join it to the request's transaction manager.

    Raises:
        SessionOutsideTransaction: as `request.dbsession`, whose every promise it keeps.
    """
    session = request_session.begin_session(request, request.registry["db.second.sessions"])
    SecondSessionMember(session, STATUS_CHANGED, request.tm).request = request
    return session


class SecondSessionMember(request_session.SessionMember):
    """The second session as a member of its request's transaction, ended around the end of the first one."""

    request: Request
    name: str | None = None

    def sortKey(self) -> str:  # noqa: N802 - the transaction manager's name
        """Return what puts this one before the first, whose key begins with `~`."""
        return "second"

    def tpc_vote(self, transaction: Any) -> None:
        """Make sure that nothing but the first one's COMMIT is left to decide; or commit, if nothing needs deciding."""
        first = self.request.__dict__.get("dbsession")
        if first is None or self._needs_no_decision():
            super().tpc_vote(transaction)
            return
        second = self.session.connection()
        self.name = decisions.announce(first.connection(), decisions.identity(second))
        second.exec_driver_sql(f"PREPARE TRANSACTION '{self.name}'")

    def tpc_finish(self, _transaction: Any) -> None:
        """Commit what is prepared. The first database has committed, so that all of the request is bound to happen."""
        if self.name is None:
            return
        try:
            prepared.finish(self._driver(), self.name, Decision.COMMIT)
        except (psycopg.Error, sa.exc.SQLAlchemyError) as exc:
            log.warning("%s; trying again on another connection.", exc)
            self.session.invalidate()
            self._finish_elsewhere(self.name)
        finally:
            self._finish("committed")

    def tpc_abort(self, _transaction: Any) -> None:
        """Ask the first database what it decided, for its COMMIT may have failed or only seemed to, and do likewise."""
        if self.session is not None:
            self._finish("aborted")
        if self.name is None:
            return
        registry = self.request.registry
        try:
            if not recovery.settle(registry["db.engine"], registry["db.second.engine"], self.name):
                log.error("The first database has not decided yet; locks are held in the second %s.", _after(self.name))
        except (sa.exc.SQLAlchemyError, errors.DatabaseError) as exc:
            log.error("%s; locks are held in the second database %s.", exc, _after(self.name))

    def _finish_elsewhere(self, name: str) -> None:
        try:
            prepared.finish_on(self.request.registry["db.second.engine"], name, Decision.COMMIT)
        except (sa.exc.SQLAlchemyError, errors.DatabaseError) as exc:
            log.error("%s; it is committed, but shows in the second database only %s.", exc, _after(name))

    def _needs_no_decision(self) -> bool:
        # In a sandbox both are savepoints of transactions that never end.
        if self.session.unit.readonly or isinstance(self.session.bind, Connection):
            return True
        return not self.session.scalar(_WROTE)

    def _driver(self) -> Any:
        return self.session.connection().connection.driver_connection


def _after(name: str) -> str:
    return f"until `myapp database recover` has run ({name})"


def _meet_databases(event: ApplicationCreated) -> None:
    """Make sure, at start, that both databases can do their part; say what an earlier process left behind."""
    first, second = (event.app.registry[name] for name in ("db.engine", "db.second.engine"))
    try:
        recovery.make_table(first)
        left_behind = recovery.require(first, second)
    finally:
        # A server may fork after this, and no two processes may share a connection.
        first.dispose()
        second.dispose()
    if left_behind:
        log.warning("%s transactions are prepared in the second database; run `myapp database recover`.", left_behind)
