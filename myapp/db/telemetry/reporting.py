"""Tell what each request did with its database: in its answer, in the log, to Prometheus, and in its trace.

    Server-Timing: app;dur=1.2, pool;dur=0.1, db;dur=2.3, commit;dur=0.8

The outermost tween. Of an attempt that is repeated only the rollback is counted; the last one tells.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

import pyramid_retry
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import INGRESS
from sqlalchemy.engine import Engine

from myapp.db import errors, retry
from myapp.db.limits import deadline
from myapp.db.telemetry import report as reports
from myapp.db.telemetry import request_log, trace
from myapp.db.telemetry.metrics import NO_ROUTE, Metrics
from myapp.db.telemetry.report import Phase, Report

MILLISECONDS = 1000
SERVER_ERROR = 500

# In the order of Phase.
_TIMING = "app;dur=%.1f, pool;dur=%.1f, db;dur=%.1f, commit;dur=%.1f"

Handler = Callable[[Request], Response]


def includeme(config: Configurator) -> None:
    """Report on every request."""
    config.registry["db.metrics"] = Metrics(lambda: _engines(config.registry))
    config.add_tween(
        "myapp.db.telemetry.reporting.reporting_tween", under=INGRESS, over="myapp.db.request_session.ending_tween"
    )


def reporting_tween(handler: Handler, registry: Registry) -> Handler:
    """Report once for each request, however it ends."""
    metrics: Metrics = registry["db.metrics"]
    repeated_min: int = registry["db.settings"].repeated_statement_warning

    def reporting(request: Request) -> Response:
        deadline.arrive(request)
        report = reports.begin(request.environ)
        response = None
        try:
            response = handler(request)
        finally:
            report.enter(Phase.ELSEWHERE)
            exception = sys.exc_info()[1] if response is None else request.exception
            status = SERVER_ERROR if response is None else response.status_int
            if report.began and not report.committed:
                metrics.count("db_rollbacks", _cause(exception, status))
            # Counted here and not by a subscriber: one anywhere, and Pyramid makes four events of every request.
            if exception is not None and pyramid_retry.is_error_retryable(request, exception):
                metrics.count("db_retries", retry.cause(exception))
            else:
                _tell(request, report, metrics, exception=exception, status=status, response=response)
                if 0 < repeated_min <= report.statements:
                    _name_repeated(request, report, metrics, repeated_min)
        return response

    return reporting


def server_timing(report: Report, seconds: float) -> str:
    """Return the header's value: milliseconds of the last attempt, and since the arrival if there were more."""
    timing = _TIMING % tuple([each * MILLISECONDS for each in report.seconds])
    if report.attempt == 1:
        return timing
    return f'{timing}, total;dur={seconds * MILLISECONDS:.1f}, attempts;desc="{report.attempt}"'


def _tell(
    request: Request,
    report: Report,
    metrics: Metrics,
    *,
    exception: BaseException | None,
    status: int,
    response: Response | None,
) -> None:
    environ = request.environ
    seconds = time.monotonic() - environ[deadline.ARRIVED]
    route = _route_name(request)
    if response is not None:
        # Set, not added: an application may answer with the same response again and again.
        response.headers["Server-Timing"] = server_timing(report, seconds)
    metrics.add(report, route=route, method=environ["REQUEST_METHOD"], status=status, seconds=seconds)
    if exception is not None and (meaning := errors.translate(exception)) is not None:
        metrics.count("db_refusals", meaning.code)
    request_log.write(request, report, route=route, status=status, seconds=seconds)
    trace.annotate(lambda: _attributes(request, report))


def _name_repeated(request: Request, report: Report, metrics: Metrics, repeated_min: int) -> None:
    route = _route_name(request)
    for text, times in report.repeated(repeated_min).items():
        metrics.count("db_repeated_statements", route or NO_ROUTE)
        request_log.name_repeated(request, text, times, route=route)


def _route_name(request: Request) -> str | None:
    route = request.matched_route
    return None if route is None else route.name


def _attributes(request: Request, report: Report) -> dict[str, str | int | float]:
    """Return the figures by the names of OpenTelemetry's conventions, where these have one."""
    return {
        "db.system.name": request.registry["db.engine"].dialect.name,
        "db.response.returned_rows": report.rows,
        "myapp.db.statements": report.statements,
        "myapp.db.attempts": report.attempt,
        "myapp.db.pool_seconds": report.seconds[Phase.POOL],
        "myapp.db.statement_seconds": report.seconds[Phase.DATABASE],
        "myapp.db.commit_seconds": report.seconds[Phase.COMMIT],
    }


def _cause(exception: BaseException | None, status: int) -> str:
    """Return why a unit of work was given up: by the database, by the application's answer, or by a fault."""
    meaning = None if exception is None else errors.meaning(exception)
    if meaning is not None:
        return meaning.cause
    if isinstance(exception, errors.DatabaseError):
        return exception.code
    return "answer" if status < SERVER_ERROR else "fault"


def _engines(registry: Registry) -> Mapping[str, Engine]:
    """Return every engine of the application by the name it has in the metrics."""
    engines = {"primary": registry["db.engine"]}
    if "db.second.engine" in registry:
        engines["second"] = registry["db.second.engine"]
    if "db.replicas" in registry:
        replicas = enumerate(registry["db.replicas"].members, 1)
        engines |= {f"replica-{number}": replica.engine for number, replica in replicas}
    return engines
