"""The view option `db={…}`: checked when the application is configured, known before permissions are judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.exceptions import ConfigurationError
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors, options, request_session, retry

View = Callable[[Any, Request], Response]


def db_view(view: View, info: Any) -> View:
    """Derive a view that tells its request how it uses the database."""
    declared = _parse(info)

    def wrapped(context: Any, request: Request) -> Response:
        # An exception view works after the session was made, or not: it takes what there is.
        if request.exception is None:
            _declare(request, declared)
        return view(context, request)

    return wrapped


db_view.options = ("db",)  # type: ignore[attr-defined]


def _parse(info: Any) -> options.Options:
    declared = info.options.get("db")
    if declared is None:
        return options.DEFAULT
    if info.exception_only:
        raise ConfigurationError(
            f"db={declared!r} on the exception view {info.original_view!r}: the request's session is made, or is not, "
            "before that view is called; remove the option."
        )
    try:
        return options.parse(declared, attempts_max=info.registry["db.settings"].retry_attempts)
    except (ValueError, TypeError, AttributeError) as exc:
        raise ConfigurationError(f"db={declared!r} on {info.original_view!r}: {exc}") from exc


def _declare(request: Request, declared: options.Options) -> None:
    was_used = request_session.SESSIONS & request.__dict__.keys()
    if was_used and declared not in (request.db_options, options.DEFAULT):
        raise errors.SessionMisuse(
            f"The view of {request.method} {request.path} declares {declared}, but request.dbsession was used before "
            "the view was chosen (in a root factory or a tween, say). Use it from the view's permission check onwards."
        )
    request.db_options = declared
    # Now, so that a header that makes no sense is refused before anything is done.
    request.db_deadline = request_session.db_deadline(request)
    if declared.retry is not None:
        retry.limit_attempts(request, declared.retry)
