"""One line in the log for each request, as `key=value` that people can search and programs can read.

    method=GET route=account path=/v1/accounts/cash status=200 ms=4.4 pool_ms=0.1 db_ms=2.3 commit_ms=0.8 statements=3 …

What a client sent is escaped as in an address, so no value has a space or a line's end: nobody can forge a line.
"""

from __future__ import annotations

import json
import logging
import re
from urllib.parse import quote

from pyramid.request import Request

from myapp.db.telemetry import trace
from myapp.db.telemetry.report import Phase, Report

log = logging.getLogger("myapp.requests")

MILLISECONDS = 1000
NOTHING = "-"
# Methods and addresses may be as long as the server takes a line.
METHOD_SHOWN_MAX = 20
PATH_SHOWN_MAX = 500
STATEMENT_SHOWN_MAX = 300
# What may stand there beside letters and digits; in most requests there is nothing else, and this tells sooner.
SAFE = "/:+="
_NEEDS_NOTHING = re.compile(r"[A-Za-z0-9_.~/:+=-]*\Z").match

_LINE = (
    "method=%s route=%s path=%s status=%d ms=%.1f pool_ms=%.1f db_ms=%.1f commit_ms=%.1f "
    "statements=%d rows=%d attempts=%d request_id=%s trace_id=%s"
)


def write(request: Request, report: Report, *, route: str | None, status: int, seconds: float) -> None:
    """Write the line of a request that is over."""
    if not log.isEnabledFor(logging.INFO):
        return
    log.info(
        _LINE,
        _shown(request.environ["REQUEST_METHOD"][:METHOD_SHOWN_MAX]),
        _route(route),
        _shown(request.environ.get("PATH_INFO", "")[:PATH_SHOWN_MAX]),
        status,
        seconds * MILLISECONDS,
        report.seconds[Phase.POOL] * MILLISECONDS,
        report.seconds[Phase.DATABASE] * MILLISECONDS,
        report.seconds[Phase.COMMIT] * MILLISECONDS,
        report.statements,
        report.rows,
        report.attempt,
        _id(request),
        report.trace_id or trace.trace_id(request.environ) or NOTHING,
    )


def name_repeated(request: Request, text: str, times: int, *, route: str | None) -> None:
    """Warn of a statement that one request executed too often."""
    shown = json.dumps(" ".join(text.split())[:STATEMENT_SHOWN_MAX])
    log.warning("repeated=%d statement=%s route=%s request_id=%s", times, shown, _route(route), _id(request))


def _route(name: str | None) -> str:
    if name is None:
        return NOTHING
    return name if _NEEDS_NOTHING(name) else quote(name)


def _shown(text: str) -> str:
    """Return what a client sent, as WSGI has it, escaped where need be."""
    return text if _NEEDS_NOTHING(text) else quote(text.encode("latin-1"), safe=SAFE)


def _id(request: Request) -> str:
    """Return the id that the application gives its requests, if it does."""
    known = getattr(request, "request_id", None)
    if known is None:
        return NOTHING
    return str(known) if _NEEDS_NOTHING(str(known)) else quote(str(known), safe=SAFE)
