"""Tell what each request did with its database: in its answer, in the log, to Prometheus, and in its trace.

    Server-Timing: pool;dur=0.1, db;dur=2.3, commit;dur=0.8, app;dur=1.2

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

from myapp.db import deadline, errors, request_log, retry, trace
from myapp.db.metrics import NO_ROUTE, Metrics
from myapp.db.report import Place, Report

MILLISECONDS = 1000
SERVER_ERROR = 500

Handler = Callable[[Request], Response]


def includeme(config: Configurator) -> None:
    """Report on every request."""
    config.registry["db.metrics"] = Metrics(lambda: _engines(config.registry))
    config.add_subscriber(_count_repeat, retry.Repeated)
    config.add_request_method(db_report, reify=True)
    config.add_request_method(trace.trace_id, reify=True)
    config.add_tween("myapp.db.reporting.reporting_tween", under=INGRESS, over="myapp.db.request.ending_tween")


def db_report(request: Request) -> Report:
    """Return what this attempt of the request did with its database."""
    return Report(attempt=request.environ.get("retry.attempt", 0) + 1)


def reporting_tween(handler: Handler, registry: Registry) -> Handler:
    """Report once for each request, however it ends."""
    metrics: Metrics = registry["db.metrics"]

    def reporting(request: Request) -> Response:
        deadline.arrive(request)
        report: Report = request.db_report
        response = None
        try:
            response = handler(request)
        finally:
            report.enter(Place.ELSEWHERE)
            exception = sys.exc_info()[1] if response is None else request.exception
            status = SERVER_ERROR if response is None else response.status_int
            if report.began and not report.committed:
                metrics.count("db_rollbacks", _cause(exception, status))
            if not pyramid_retry.is_error_retryable(request, exception):
                seconds = time.monotonic() - request.environ[deadline.ARRIVED]
                if response is not None:
                    response.headers["Server-Timing"] = server_timing(report, seconds)
                _tell(request, report, status=status, seconds=seconds)
        return response

    return reporting


def server_timing(report: Report, seconds: float) -> str:
    """Return the header's value: milliseconds of the last attempt, and since the arrival if there were more."""
    app, pool, database, commit = (each * MILLISECONDS for each in report.seconds)
    timing = f"pool;dur={pool:.1f}, db;dur={database:.1f}, commit;dur={commit:.1f}, app;dur={app:.1f}"
    if report.attempt == 1:
        return timing
    return f'{timing}, total;dur={seconds * MILLISECONDS:.1f}, attempts;desc="{report.attempt}"'


def _tell(request: Request, report: Report, *, status: int, seconds: float) -> None:
    metrics: Metrics = request.registry["db.metrics"]
    route = request_log.route_name(request)
    metrics.add(report, route=route, method=request.method, status=status, seconds=seconds)
    if request.exception is not None and (meaning := errors.translate(request.exception)) is not None:
        metrics.count("db_refusals", meaning.code)
    request_log.write(request, report, status=status, seconds=seconds)
    trace.annotate(lambda: _attributes(request, report))
    repeated_min: int = request.registry["db.settings"].repeated_statement_warning
    if 0 < repeated_min <= report.statements:
        for text, times in report.repeated(repeated_min).items():
            metrics.count("db_repeated_statements", route or NO_ROUTE)
            request_log.name_repeated(request, text, times)


def _attributes(request: Request, report: Report) -> dict[str, str | int | float]:
    """Return the figures by the names of OpenTelemetry's conventions, where these have one."""
    return {
        "db.system.name": request.registry["db.engine"].dialect.name,
        "db.response.returned_rows": report.rows,
        "myapp.db.statements": report.statements,
        "myapp.db.attempts": report.attempt,
        "myapp.db.pool_seconds": report.seconds[Place.POOL],
        "myapp.db.statement_seconds": report.seconds[Place.DATABASE],
        "myapp.db.commit_seconds": report.seconds[Place.COMMIT],
    }


def _cause(exception: BaseException | None, status: int) -> str:
    """Return why a unit of work was given up: by the database, by the application's answer, or by a fault."""
    meaning = None if exception is None else errors.meaning(exception)
    if meaning is not None:
        return meaning.cause
    if isinstance(exception, errors.DatabaseError):
        return exception.code
    return "answer" if status < SERVER_ERROR else "fault"


def _count_repeat(repeated: retry.Repeated) -> None:
    metrics: Metrics = repeated.request.registry["db.metrics"]
    metrics.count("db_retries", repeated.cause)


def _engines(registry: Registry) -> Mapping[str, Engine]:
    """Return every engine of the application by the name it has in the metrics."""
    engines = {"primary": registry["db.engine"]}
    if "db.second.engine" in registry:
        engines["second"] = registry["db.second.engine"]
    if "db.replicas" in registry:
        replicas = enumerate(registry["db.replicas"].members, 1)
        engines |= {f"replica-{number}": replica.engine for number, replica in replicas}
    return engines
