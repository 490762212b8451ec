"""What the session layer costs a request, and what of that is reporting: `python -m tests.benchmarks.layer_cost`.

An application with a view of one statement, called in process: an empty view; a session of SQLAlchemy's own, opened and
closed in the view; one that pyramid_tm commits, registered with zope.sqlalchemy; `config.include("myapp.db")` and
`request.dbsession`, with reporting taken out, with it, with the line in the log as well, and with a trace as well. They
take turns in short rounds. Told is CPU per request, of this process alone: the median of the rounds, and of the
differences within them.
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
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router
from sqlalchemy import orm

from myapp.db.telemetry import measuring, report, reporting
from tests import postgresql_server

ROUNDS = 300
REQUESTS = 10
WARM_UP = 20
SEED = 5
MICROSECONDS = 1e6
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

EMPTY, BARE, STARTER = (
    "an empty view",
    "`with Session(engine)` in the view",
    "pyramid_tm and zope.sqlalchemy by themselves",
)
LAYER = "`request.dbsession`, reporting nothing"
REPORT, LINE, TRACE = "… with report and metrics", "… and the log line", "… and a trace"
# Each with the one that it is compared with.
KINDS = {EMPTY: None, BARE: EMPTY, STARTER: BARE, LAYER: BARE, REPORT: LAYER, LINE: REPORT, TRACE: LINE}

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
    """Print the table of docs/sessions.md, "What it costs"."""
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
    """Return what a request costs in each kind, and the difference to the kind that it is compared with."""
    with Path(os.devnull).open("w") as nowhere, logging_to(nowhere):
        calls = {kind: caller(application(url, kind), kind) for kind in KINDS}
        rounds = {kind: [] for kind in KINDS}
        order = random.Random(SEED)
        for number in range(WARM_UP + ROUNDS):
            for kind in order.sample(list(KINDS), len(KINDS)):
                spent = cost(calls[kind], kind)
                # The first rounds warm up.
                if number >= WARM_UP:
                    rounds[kind].append(spent)
    return {kind: _told(rounds, kind) for kind in KINDS}


def application(url: str, kind: str) -> Router:
    """Return the application of a kind."""
    config = Configurator(settings={"sqlalchemy.url": url, "tm.manager_hook": "pyramid_tm.explicit_manager"})
    config.add_route("one", "/one")
    with contextlib.ExitStack() as stack:
        if kind == LAYER:
            stack.enter_context(mock.patch.object(reporting, "includeme", report_nothing))
            stack.enter_context(mock.patch.object(measuring, "around", contextlib.nullcontext))
        view = VIEWS.get(kind, with_layer)(config)
        config.add_view(view, route_name="one")
        return config.make_wsgi_app()


View = Callable[[Request], Response]


def empty(_config: Configurator) -> View:
    return lambda _request: Response("1")


def bare(config: Configurator) -> View:
    """Return the view as it would be without any transaction manager."""
    engine = sa.create_engine(config.get_settings()["sqlalchemy.url"])

    def view(_request: Request) -> Response:
        with orm.Session(engine) as session:
            return Response(str(session.scalar(ONE)))

    return view


def starter(config: Configurator) -> View:
    """Return the view with a session as pyramid-cookiecutter-starter gives it to the request."""
    config.include("pyramid_tm")
    sessions = orm.sessionmaker(sa.create_engine(config.get_settings()["sqlalchemy.url"]))

    def dbsession(request: Request) -> orm.Session:
        session = sessions()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config.add_request_method(dbsession, reify=True)
    return asking


def with_layer(config: Configurator) -> View:
    config.include("myapp.db")
    return asking


def asking(request: Request) -> Response:
    return Response(str(request.dbsession.scalar(ONE)))


VIEWS = {EMPTY: empty, BARE: bare, STARTER: starter}


def report_nothing(_config: Configurator) -> None:
    """Let the session layer write to what nobody reads."""


def caller(app: Router, kind: str) -> Callable[[], None]:
    """Return a function that makes one request, without a client's own cost."""
    blank = Request.blank("/one", headers={"traceparent": TRACEPARENT} if kind == TRACE else {}).environ
    if kind == LAYER:
        blank[report.KEY] = NoReport()

    def start(status: str, _headers: list[Any], _exc_info: Any = None) -> Any:
        assert status == "200 OK", status

    def call() -> None:
        b"".join(app(dict(blank), start))

    return call


def cost(call: Callable[[], None], kind: str) -> float:
    """Return the microseconds of CPU that a request of this kind takes."""
    logging.getLogger("myapp.requests").setLevel(logging.INFO if kind in (LINE, TRACE) else logging.WARNING)
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


def _told(rounds: dict[str, list[float]], kind: str) -> str:
    mine, base = rounds[kind], KINDS[kind]
    if base is None:
        return f"{statistics.median(mine):.0f}"
    differences = [after - before for before, after in zip(rounds[base], mine, strict=True)]
    low, middle, high = statistics.quantiles(differences, n=4)
    return f"{statistics.median(mine):.0f} ({middle:+.0f}; {low:+.0f} to {high:+.0f})"


if __name__ == "__main__":
    main()
