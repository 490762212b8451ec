"""The outermost tween: every request gets an id, a time and one line in the log, however it ends."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pyramid_retry
from pyramid.registry import Registry
from pyramid.response import Response

from myapp.api.request import METHOD_SHOWN_MAX

log = logging.getLogger("myapp.requests")

MILLISECONDS = 1000

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:\Z|-)")

# Pyramid ships no types for its requests.
Handler = Callable[[Any], Response]


def trace_id(request: Any) -> str | None:
    """Return the trace that the client's traceparent names, None without a valid one."""
    found = _TRACEPARENT.match(request.headers.get("traceparent", ""))
    return found["trace_id"] if found else None


def request_log_tween(handler: Handler, _registry: Registry) -> Handler:
    """Log each request once, and give its answer an X-Request-Id and a Server-Timing."""

    def logged(request: Any) -> Response:
        began = time.perf_counter()
        response = handler(request)
        if pyramid_retry.is_error_retryable(request, request.exception):
            # It will run again, and the answer to this attempt is thrown away.
            return response
        elapsed_ms = (time.perf_counter() - began) * MILLISECONDS
        response.headers["X-Request-Id"] = request.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Server-Timing"] = f"app;dur={elapsed_ms:.1f}"
        _log(request, response.status_int, elapsed_ms)
        return response

    return logged


def _log(request: Any, status: int, elapsed_ms: float) -> None:
    log.info(
        "%s %s %d %.1fms request_id=%s trace_id=%s attempt=%d",
        quote(request.method[:METHOD_SHOWN_MAX]),
        quote(request.environ.get("PATH_INFO", "").encode("latin-1")),
        status,
        elapsed_ms,
        request.request_id,
        request.trace_id or "-",
        request.environ.get("retry.attempt", 0) + 1,
    )
