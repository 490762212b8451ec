"""Follow one request from the client's trace to the database's own views, and back into the trace.

The trace id is that of OpenTelemetry's current span, or else of the client's `traceparent`. It travels to PostgreSQL as
part of the connection's name for the time of the transaction: a comment in the SQL would make every text a new one, and
none of them would be prepared. OpenTelemetry is used where it is installed, and not missed where it is not.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

opentelemetry: ModuleType | None
try:
    opentelemetry = importlib.import_module("opentelemetry.trace")
except ImportError:
    opentelemetry = None

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:\Z|-)"
)

# PostgreSQL cuts a name off at 63 bytes, and what would be lost is the trace id.
NAME_BYTES_MAX = 63


def trace_id(environ: Mapping[str, Any]) -> str | None:
    """Return the id of the trace that the request belongs to, 32 hexadecimal digits; None without one."""
    return _current() or _sent(environ.get("HTTP_TRACEPARENT"))


def application_name(name: str, trace_id: str) -> str:
    """Return what the connection is called while it works for the trace."""
    kept = name.encode()[: NAME_BYTES_MAX - 1 - len(trace_id)].decode(errors="ignore")
    return f"{kept} {trace_id}"


def annotate(figures: Callable[[], Mapping[str, str | int | float]]) -> None:
    """Add figures to OpenTelemetry's current span, if there is one that is recorded."""
    if opentelemetry is not None:
        span = opentelemetry.get_current_span()
        if span.is_recording():
            span.set_attributes(figures())


def _current() -> str | None:
    if opentelemetry is None:
        return None
    context = opentelemetry.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def _sent(header: str | None) -> str | None:
    found = None if header is None else _TRACEPARENT.match(header)
    return None if found is None else found["trace_id"]
