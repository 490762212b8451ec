"""Where the request enters: its session, joined once to its transaction manager, and the end of both.

    waitress → retry → `ending` tween → pyramid_tm tween → exception views → view
                                        begin … commit or abort

The session is made at first use and joined at once, so zope.sqlalchemy needs no event listener and no connection is
taken before the first statement. See docs/sessions.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.httpexceptions import HTTPException
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from transaction.interfaces import NoTransaction
from zope.sqlalchemy.datamanager import STATUS_CHANGED, SessionDataManager

from myapp.db import errors, options
from myapp.db.factory import Sessions
from myapp.db.limits import deadline
from myapp.db.session import UnitOfWorkSession
from myapp.db.telemetry import report
from myapp.db.telemetry.request_log import shown
from myapp.db.unit import Unit

FIRST_ERROR_STATUS = 400

# The second where there are two databases, see `two_phase`.
SESSIONS = frozenset({"dbsession", "second_dbsession"})


class SessionMember(SessionDataManager):  # type: ignore[misc]
    """The session as a member of its request's transaction; it joins when it is made."""

    def tpc_vote(self, transaction: Any) -> None:
        """Commit, as the owner; the one phase of a session that is the last to vote."""
        if self.session is not None:
            self.session.unit.may_commit = True
        super().tpc_vote(transaction)

    def should_retry(self, _error: BaseException) -> bool:
        """Leave the choice to `judging`: zope.sqlalchemy would repeat a COMMIT whose outcome is unknown as well."""
        return False


def dbsession(request: Request) -> UnitOfWorkSession:
    """Make the request's session and join it to the request's transaction manager.

    Raises:
        SessionOutsideTransaction: no transaction of this request is under way, so nobody would end the session.
    """
    session = begin_session(request, request.registry["db.sessions"])
    # "changed" from the start: with zope.sqlalchemy's default, text(), Core and bulk writes would be lost quietly.
    SessionMember(session, STATUS_CHANGED, request.tm)
    return session


def begin_session(request: Request, sessions: Sessions) -> UnitOfWorkSession:
    """Make a session that is the request's and has begun, for whoever joins it to the transaction manager."""
    environ = request.environ
    owner = f"the request {environ['REQUEST_METHOD']} {shown(environ['SCRIPT_NAME'] + environ['PATH_INFO'])}"
    _require_transaction(request, owner)
    session = sessions(owner=owner, unit=unit(request))
    session.begin()
    return session


def unit(request: Request) -> Unit:
    """Return a unit of work as the request's view declares it."""
    declared: options.Options = request.db_options
    return Unit(
        readonly=options.is_readonly(declared, request.method),
        isolation=declared.isolation,
        deadline=request.db_deadline,
        report=report.of_request(request.environ),
        primary=declared.primary,
        position=request.db_position,
    )


def db_deadline(request: Request) -> deadline.Deadline:
    """Return when the request's time is over.

    Raises:
        HTTPBadRequest: the client's header Request-Timeout makes no sense.
    """
    declared: float | None = request.db_options.timeout
    return deadline.of_request(request, declared or request.registry["db.settings"].deadline_seconds)


def db_options(_request: Request) -> options.Options:
    """Return how the request uses the database until its view says more."""
    return options.DEFAULT


def commit_veto(request: Request, response: Response) -> bool:
    """Say whether to abort: for every 4xx and 5xx, returned or raised, and for every exception that is no response."""
    exception = request.exception
    if exception is not None and not isinstance(exception, HTTPException):
        return True
    return bool(response.status_int >= FIRST_ERROR_STATUS)


def ending_tween(handler: Callable[[Request], Response], _registry: Registry) -> Callable[[Request], Response]:
    """Make sure that the session ends with the request, whatever ended the request.

    pyramid_tm ends it in every orderly case; it does not see SystemExit and its kind.
    """

    def ending(request: Request) -> Response:
        deadline.arrive(request)
        try:
            return handler(request)
        finally:
            sessions = (request.__dict__[name] for name in SESSIONS & request.__dict__.keys())
            if not all(session.ended for session in sessions):
                # Each is a member of the transaction, which ends all of them, whatever one of them does.
                request.tm.abort()

    return ending


def _require_transaction(request: Request, owner: str) -> None:
    try:
        request.tm.get()
    except NoTransaction:
        raise errors.SessionOutsideTransaction(
            f"request.dbsession was used outside the transaction of {owner}: before it began, or after it was "
            "committed or aborted. Use it in the view, or open a session of your own with session_scope()."
        ) from None
