"""What an application has done since it started, for Prometheus.

Labels are few and bounded: the name of a route, never an address; a known method; a cause of a fixed set. One process
counts for itself, so each process is a target of its own. All metrics are listed in docs/operations.md.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

from myapp.db.limits import admission
from myapp.db.telemetry.report import Phase, Report

# https://www.rfc-editor.org/rfc/rfc9110#section-9; anyone may send any other.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "other"
NO_ROUTE = "none"

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_VERSION = "version=1.0.0"

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# What is summed up for each route: the metric, what it says, and the name of the sum.
_SUMS = (
    ("db_statements", "SQL statements, without BEGIN and COMMIT.", "statements"),
    ("db_rows", "Rows that statements returned or changed, where the driver tells.", "rows"),
    ("db_pool_wait_seconds", "Time until there was a connection.", "pool"),
    ("db_statement_seconds", "Time inside statements.", "database"),
    ("db_commit_seconds", "Time inside COMMIT.", "commit"),
)
_COUNTS = {
    "db_repeated_statements": ("Statements that one request executed too often.", "route"),
    "db_retries": ("Attempts that were thrown away and made again.", "cause"),
    "db_rollbacks": ("Database transactions that were begun and not committed.", "cause"),
    "db_refusals": ("Requests that the database could not serve.", "code"),
}


class _Route:
    """The sums of one route; times are seconds."""

    __slots__ = ("buckets", "commit", "database", "pool", "rows", "seconds", "statements")

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCY_SECONDS) + 1)
        self.seconds = 0.0
        self.statements = 0
        self.rows = 0
        self.pool = 0.0
        self.database = 0.0
        self.commit = 0.0

    def add(self, report: Report, seconds: float) -> None:
        """Add one request."""
        self.buckets[bisect.bisect_left(LATENCY_SECONDS, seconds)] += 1
        self.seconds += seconds
        self.statements += report.statements
        self.rows += report.rows
        self.pool += report.seconds[Phase.POOL]
        self.database += report.seconds[Phase.DATABASE]
        self.commit += report.seconds[Phase.COMMIT]


class Metrics(Collector):
    """The counters of one application."""

    def __init__(self, engines: Callable[[], Mapping[str, Engine]]) -> None:
        self._engines = engines
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._routes: dict[str, _Route] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTS}

    def count(self, name: str, label: str, times: int = 1) -> None:
        """Count one of the things that happen now and then; `label` is its route, cause or code."""
        with self._lock:
            self._counts[name][label] += times

    def add(self, report: Report, *, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        name = NO_ROUTE if route is None else route
        label = method if method in METHODS else OTHER_METHOD
        with self._lock:
            self._requests[name, label, status] += 1
            found = self._routes.get(name)
            if found is None:
                found = self._routes[name] = _Route()
            found.add(report, seconds)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as OpenMetrics where the client accepts it, else as plain text, and the media type."""
        # Of what the client says only this: the chooser fails on a version that is no number, and echoes any other.
        encode, media_type = choose_encoder(OPENMETRICS if _accepts_openmetrics(accept) else "")
        return encode(self.registry), media_type

    def collect(self) -> Iterable[Metric]:
        """Return what was counted, and what there is right now of the pools."""
        with self._lock:
            counted = [*self._of_requests(), *self._of_routes(), *self._of_counts()]
        return [*counted, *_of_pools(self._engines())]

    def _of_requests(self) -> Iterator[Metric]:
        family = CounterMetricFamily("http_requests", "Requests answered.", labels=("route", "method", "status"))
        for (route, method, status), times in self._requests.items():
            family.add_metric((route, method, str(status)), times)
        yield family

    def _of_routes(self) -> Iterator[Metric]:
        text = "Time from a request's arrival to its answer, repeats included."
        latency = HistogramMetricFamily("http_request_duration_seconds", text, labels=("route",))
        bounds = [*(str(float(each)) for each in LATENCY_SECONDS), "+Inf"]
        for name, found in self._routes.items():
            filled = zip(bounds, itertools.accumulate(found.buckets), strict=True)
            latency.add_metric([name], list(filled), found.seconds)
        yield latency
        for metric, text, summed in _SUMS:
            family = CounterMetricFamily(metric, text, labels=("route",))
            for name, found in self._routes.items():
                family.add_metric([name], getattr(found, summed))
            yield family

    def _of_counts(self) -> Iterator[Metric]:
        for metric, (text, label) in _COUNTS.items():
            family = CounterMetricFamily(metric, text, labels=(label,))
            for value, times in self._counts[metric].items():
                family.add_metric([value], times)
            yield family


def _accepts_openmetrics(accept: str) -> bool:
    """Say whether the header names OpenMetrics in our version, or in none."""
    for each in accept.split(","):
        media_type, *parameters = (part.strip() for part in each.split(";"))
        versions = [parameter for parameter in parameters if parameter.startswith("version")]
        if media_type == OPENMETRICS and versions in ([], [OPENMETRICS_VERSION]):
            return True
    return False


def _of_pools(engines: Mapping[str, Engine]) -> Iterator[Metric]:
    size = GaugeMetricFamily("db_pool_size", "Connections there may be.", labels=("database",))
    used = GaugeMetricFamily("db_pool_in_use", "Connections that serve somebody.", labels=("database",))
    wait = GaugeMetricFamily("db_pool_waiting", "Units of work that wait for one.", labels=("database",))
    for name, engine in engines.items():
        lines = admission.of(engine)
        if isinstance(engine.pool, QueuePool):
            size.add_metric([name], engine.pool.size())
            used.add_metric([name], engine.pool.checkedout())
        if lines is not None:
            wait.add_metric([name], lines.connections.waiting + (lines.writers.waiting if lines.writers else 0))
    yield from (size, used, wait)
