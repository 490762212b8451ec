"""When a unit of work is done again, and after how long: a request's, and with `run` a script's or a worker's.

pyramid_retry runs it; the tween here decides. It stands outside whatever belongs to one attempt, so between two
attempts nothing is held: no session, no connection, no place in a line. An attempt that will be repeated ends in its
exception here, even where an exception view had answered: no response callback, no subscriber and no log sees an answer
that nobody gets. Once an attempt is let pass it is the last, whatever is raised outside this tween.

The pause is drawn at random up to a bound that doubles with each attempt, so that those who met do not meet again.
"""

from __future__ import annotations

import logging
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import pyramid_retry
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import INGRESS
from sqlalchemy import exc as sa_exc

from myapp.db import after_commit, errors, mending, scope
from myapp.db.factory import Sessions
from myapp.db.request_session import SESSIONS
from myapp.db.session import UnitOfWorkSession
from myapp.db.telemetry.report import ATTEMPT
from myapp.db.telemetry.request_log import METHOD_SHOWN_MAX, PATH_SHOWN_MAX

log = logging.getLogger(__name__)

# Without settings, in `run`.
ATTEMPTS_MAX = 3
BACKOFF_SECONDS = 0.05

PAUSE_SECONDS_MAX = 1.0
MILLISECONDS = 1000

OTHER_CAUSE = "other"

# How many attempts there may be in all, where pyramid_retry looks.
ATTEMPTS = "retry.attempts"

REPORTING_TWEEN = "myapp.db.telemetry.reporting.reporting_tween"

Handler = Callable[[Request], Response]
ResultT = TypeVar("ResultT")


def includeme(config: Configurator) -> None:
    """Decide on each attempt outside all that belongs to it, and tell who reports on requests only what came of it."""
    config.add_tween(
        "myapp.db.retry.repeating_tween", under=(REPORTING_TWEEN, INGRESS), over="myapp.db.request_session.ending_tween"
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """Told to the registry's subscribers when an attempt is over and another one will follow after the pause."""

    request: Request
    exception: BaseException
    cause: str
    pause_seconds: float


def pause_seconds(attempt: int, first_seconds: float) -> float:
    """Return how long to wait after this attempt, the first being 0."""
    return random.uniform(0, min(first_seconds * 2**attempt, PAUSE_SECONDS_MAX))  # noqa: S311 - no secret


def cause(exc: BaseException) -> str:
    """Return why a request is repeated, as one of a few words."""
    meaning = errors.meaning(exc)
    return OTHER_CAUSE if meaning is None else meaning.cause


def limit_attempts(request: Request, attempts_max: int) -> None:
    """Allow no more attempts than this, of those that the settings allow."""
    environ = request.environ
    if ATTEMPTS in environ:
        environ[ATTEMPTS] = min(environ[ATTEMPTS], attempts_max)


def repeating_tween(handler: Handler, registry: Registry) -> Handler:
    """Let an attempt pass, or pause and let pyramid_retry make another one."""
    first_seconds: float = registry["db.settings"].retry_backoff_seconds

    def attempt(request: Request) -> Response:
        sent = dict(request.environ)
        response = repeated = None
        try:
            response = handler(request)
        finally:
            exc = sys.exc_info()[1] if response is None else request.exception
            if exc is not None:
                repeated = _repeated(request, exc, first_seconds)
            if repeated is None:
                _let_pass(request)
            else:
                _pause(repeated)
                _restore(request.environ, sent)
                mending.mend(request, repeated.exception)
        if repeated is not None:
            # Answered by an exception view, for nobody.
            raise repeated.exception
        return response

    return attempt


def run(
    sessions: Sessions,
    work: Callable[[UnitOfWorkSession], ResultT],
    *,
    attempts_max: int = ATTEMPTS_MAX,
    isolation: str | None = None,
    timeout_seconds: float | None = None,
    owner: str = "a run()",
) -> ResultT:
    """Do a unit of work in a `session_scope` and return its result; do it again when another one was in the way.

    Shape: `work` begins anew each time, with a session of its own; what it keeps outside of it, it must set anew.
    `timeout_seconds` bounds all attempts together.
    """
    until = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
    attempt = 0
    while True:
        left = None if timeout_seconds is None else until - time.monotonic()
        try:
            with scope.session_scope(sessions, isolation=isolation, timeout_seconds=left, owner=owner) as session:
                return work(session)
        except (errors.DatabaseError, sa_exc.SQLAlchemyError, *errors.DRIVER_ERRORS) as exc:
            meaning = errors.meaning(exc)
            seconds = pause_seconds(attempt, BACKOFF_SECONDS)
            attempt += 1
            is_last = attempt >= attempts_max or time.monotonic() + seconds >= until
            if is_last or meaning is None or not meaning.is_retryable:
                raise
            milliseconds = seconds * MILLISECONDS
            log.info("attempt=%d cause=%s repeated_in_ms=%.1f: %s", attempt, meaning.cause, milliseconds, owner)
        time.sleep(seconds)


def _repeated(request: Request, exc: BaseException, first_seconds: float) -> Repeated | None:
    """Return what is to be told of the next attempt; None if there is none, or no time for it."""
    meaning = errors.meaning(exc)
    if meaning is not None and meaning.is_retryable:
        # One of the driver's own, which passed no listener of the engine.
        pyramid_retry.mark_error_retryable(exc)
    if _is_committed(request) or not pyramid_retry.is_error_retryable(request, exc):
        return None
    seconds = pause_seconds(request.environ[ATTEMPT], first_seconds)
    try:
        left = request.db_deadline.remaining()
    except HTTPBadRequest:
        # The view, which would have refused the client's Request-Timeout, was not reached.
        return None
    if seconds >= left:
        return None
    return Repeated(request, exc, cause(exc), seconds)


def _is_committed(request: Request) -> bool:
    """Say whether what failed is not the unit of work, which is done, but something after it: another tween, say.

    What only read may be done again, a stream that failed at its beginning for one, but for what was called back.
    """
    if after_commit.was_called(request):
        return True
    sessions = (request.__dict__.get(name) for name in SESSIONS)
    units = [session.unit for session in sessions if session is not None]
    return any(unit.report.committed and not unit.readonly for unit in units)


def _let_pass(request: Request) -> None:
    environ = request.environ
    if ATTEMPT in environ:
        environ[ATTEMPTS] = environ[ATTEMPT] + 1


def _restore(environ: dict[str, Any], sent: dict[str, Any]) -> None:
    """Let the next attempt find what this one found: the same environ, with a body that nobody has read."""
    environ.clear()
    environ.update(sent)
    # What WebOb remembers of a form holds uploads that may have been read.
    environ.pop("webob._parsed_post_vars", None)
    environ["wsgi.input"].seek(0)


def _pause(repeated: Repeated) -> None:
    request = repeated.request
    log.info(
        "method=%s path=%s attempt=%d cause=%s repeated_in_ms=%.1f",
        quote(request.method[:METHOD_SHOWN_MAX]),
        quote(request.environ.get("PATH_INFO", "")[:PATH_SHOWN_MAX].encode("latin-1")),
        request.environ[ATTEMPT] + 1,
        repeated.cause,
        repeated.pause_seconds * MILLISECONDS,
    )
    request.registry.notify(repeated)
    time.sleep(repeated.pause_seconds)
