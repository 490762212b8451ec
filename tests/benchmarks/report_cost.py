"""What reporting on requests costs them: `python -m tests.benchmarks.report_cost`.

An application with `config.include("myapp.db")` and a view of one statement, called in process. The same application
takes turns in short rounds with reporting taken out, with it, with a trace as well, and with the line in the log as
well. Told is CPU per request, of this process alone: the median of the rounds, and of the differences within them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router

from myapp.db.telemetry import measuring, report, reporting
from tests import postgresql_server

ROUNDS = 300
REQUESTS = 10
WARM_UP = 20
SEED = 5
MICROSECONDS = 1e6
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

WITHOUT = "without"
# What each one adds is told against the one before it.
KINDS = (WITHOUT, "report and metrics", "… and the log line", "… and a trace")

ONE = sa.text("SELECT 1")


class NoReport:
    """What a session writes to when nobody wants to know."""

    trace_id: str | None = None

    def enter(self, _phase: int) -> None:
        """Forget it."""

    def leave(self, _phase: int) -> bool:
        """Know nothing of it."""
        return False


def main() -> None:
    """Print the table of docs/sessions.md, "What a request did"."""
    with tempfile.TemporaryDirectory(prefix="myapp_cost_") as directory:
        Path(directory).chmod(0o755)
        print("| µs of CPU per request | SQLite | PostgreSQL |\n|---|---|---|")
        sqlite = figures(f"sqlite:///{directory}/notes.sqlite")
        try:
            postgresql = figures(postgresql_server.url(Path(directory)))
        finally:
            postgresql_server.stop(Path(directory))
    for kind in KINDS:
        print(f"| {kind} | {sqlite[kind]} | {postgresql[kind]} |")


def figures(url: str) -> dict[str, str]:
    """Return what a request costs in each kind, and the difference to the kind before."""
    with Path(os.devnull).open("w") as nowhere, logging_to(nowhere):
        calls = {kind: caller(application(url, reports=kind != WITHOUT), kind) for kind in KINDS}
        rounds = {kind: [] for kind in KINDS}
        order = random.Random(SEED)
        for number in range(WARM_UP + ROUNDS):
            for kind in order.sample(KINDS, len(KINDS)):
                spent = cost(calls[kind], kind)
                # The first rounds warm up.
                if number >= WARM_UP:
                    rounds[kind].append(spent)
    return {kind: _told(rounds, place) for place, kind in enumerate(KINDS)}


def application(url: str, *, reports: bool) -> Router:
    """Return the application, with all that reports on its requests or without it."""
    config = Configurator(settings={"sqlalchemy.url": url})
    with contextlib.ExitStack() as stack:
        if not reports:
            stack.enter_context(mock.patch.object(reporting, "includeme", report_nothing))
            stack.enter_context(mock.patch.object(measuring, "around", contextlib.nullcontext))
        config.include("myapp.db")
        config.add_route("one", "/one")
        config.add_view(lambda request: Response(str(request.dbsession.scalar(ONE))), route_name="one")
        return config.make_wsgi_app()


def report_nothing(_config: Configurator) -> None:
    """Let the session layer write to what nobody reads."""


def caller(app: Router, kind: str) -> Callable[[], None]:
    """Return a function that makes one request, without a client's own cost."""
    blank = Request.blank("/one", headers={"traceparent": TRACEPARENT} if kind == KINDS[3] else {}).environ
    if kind == WITHOUT:
        blank[report.KEY] = NoReport()

    def start(status: str, _headers: list[Any], _exc_info: Any = None) -> Any:
        assert status == "200 OK", status

    def call() -> None:
        b"".join(app(dict(blank), start))

    return call


def cost(call: Callable[[], None], kind: str) -> float:
    """Return the microseconds of CPU that a request of this kind takes."""
    logging.getLogger("myapp.requests").setLevel(logging.INFO if kind in KINDS[2:] else logging.WARNING)
    began = time.process_time()
    for _ in range(REQUESTS):
        call()
    return (time.process_time() - began) / REQUESTS * MICROSECONDS


@contextlib.contextmanager
def logging_to(stream: Any) -> Iterator[None]:
    """Write the lines as production.ini does, but to nowhere."""
    log, handler = logging.getLogger("myapp.requests"), logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-5s %(name)s %(message)s"))
    log.addHandler(handler)
    yield
    log.removeHandler(handler)


def _told(rounds: dict[str, list[float]], place: int) -> str:
    mine = rounds[KINDS[place]]
    if place == 0:
        return f"{statistics.median(mine):.0f}"
    differences = [after - before for before, after in zip(rounds[KINDS[place - 1]], mine, strict=True)]
    low, middle, high = statistics.quantiles(differences, n=4)
    return f"{statistics.median(mine):.0f} ({middle:+.0f}; {low:+.0f} to {high:+.0f})"


if __name__ == "__main__":
    main()
