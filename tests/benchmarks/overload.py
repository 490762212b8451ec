"""What three times too much load does to a server, with and without admission: `python -m tests.benchmarks.overload`.

An application with `config.include("myapp.db")` and one view, whose statement takes 50 ms, behind waitress. With eight
connections it can serve 160 requests a second; 480 a second arrive for ten seconds, whatever happens to those before
(an open loop: clients do not wait for each other). Without admission a request waits as long as it takes: threads and
connections are eight, and waitress queues the rest. With it, threads are forty-eight, so that the application itself
sees who comes, and its line decides.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
import waitress
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import errors
from tests import postgresql_server

STATEMENT = sa.text("SELECT pg_sleep(0.05)")
POOL_SIZE = 8
ARRIVALS_PER_SECOND = 480
SECONDS = 10
# Threads of the server, and who may wait in the application.
SHAPES = {"without admission": (8, 1_000_000), "with admission": (48, 32)}
START_SECONDS = 20
PATIENCE_SECONDS = 60


@dataclass
class Seen:
    """What the clients saw: seconds until the answer, by status."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, status: str, seconds: float) -> None:
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)

    def milliseconds(self, status: str, percentile: int) -> str:
        found = self.seconds.get(status, [])
        if len(found) < 2:
            return "—"
        return f"{statistics.quantiles(found, n=100)[percentile - 1] * 1000:,.0f}"


def main() -> None:
    """Print the table of docs/sessions.md."""
    with tempfile.TemporaryDirectory(prefix="myapp_overload_") as directory:
        Path(directory).chmod(0o755)
        url = postgresql_server.url(Path(directory))
        try:
            print("| | accepted | p50 ms | p99 ms | refused | p50 ms | p99 ms | alive p99 ms | last answer after s |")
            print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
            for name, (threads, waiting) in SHAPES.items():
                print(row(name, *measured(url, threads, waiting)), flush=True)
        finally:
            postgresql_server.stop(Path(directory))


def row(name: str, work: Seen, alive: Seen, took: float) -> str:
    refused = sum(count for status, count in work.statuses.items() if status != "200")
    cells = (
        work.statuses["200"],
        work.milliseconds("200", 50),
        work.milliseconds("200", 99),
        refused,
        work.milliseconds("503", 50),
        work.milliseconds("503", 99),
        alive.milliseconds("200", 99),
        f"{took:.1f}",
    )
    return f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |"


def measured(url: str, threads: int, waiting: int) -> tuple[Seen, Seen, float]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.overload", "serve", url, str(port), str(threads), str(waiting)]
    with subprocess.Popen(command) as server:
        try:
            wait_for(port)
            return asyncio.run(load(port))
        finally:
            server.kill()


async def load(port: int) -> tuple[Seen, Seen, float]:
    """Let requests arrive at the rate, and meanwhile ask ten times a second whether the process is alive."""
    work, alive = Seen(), Seen()
    began = time.perf_counter()
    tasks = []
    for number in range(ARRIVALS_PER_SECOND * SECONDS):
        due = began + number / ARRIVALS_PER_SECOND
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        tasks.append(asyncio.create_task(ask(port, "/work", work)))
        if number % (ARRIVALS_PER_SECOND // 10) == 0:
            tasks.append(asyncio.create_task(ask(port, "/alive", alive)))
    await asyncio.gather(*tasks)
    return work, alive, time.perf_counter() - began


async def ask(port: int, path: str, seen: Seen) -> None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            status = (await reader.readline()).split()[1].decode()
            await reader.read()
            writer.close()
    except (OSError, TimeoutError, IndexError):
        status = "no answer"
    seen.add(status, time.perf_counter() - began)


def serve(url: str, port: str, threads: str, waiting: str) -> None:
    settings = {"sqlalchemy.url": url, "db.pool_size": str(POOL_SIZE), "db.waiting_max": waiting}
    if int(threads) == POOL_SIZE:
        settings["db.pool_timeout_seconds"] = "3600"
    # It tells each time that its queue grew.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    config = Configurator(settings=settings | {"db.deadline_seconds": "3600"})
    config.include("myapp.db")
    config.add_route("work", "/work")
    config.add_route("alive", "/alive")
    config.add_view(work, route_name="work")
    config.add_view(lambda request: Response("ok"), route_name="alive")
    config.add_exception_view(refuse, context=errors.Overloaded)
    waitress.serve(
        config.make_wsgi_app(),
        host="127.0.0.1",
        port=int(port),
        threads=int(threads),
        connection_limit=5000,
        asyncore_use_poll=True,
        _quiet=True,
    )


def work(request: Request) -> Response:
    request.dbsession.execute(STATEMENT)
    return Response("done")


def refuse(_exc: errors.Overloaded, _request: Request) -> Response:
    return Response("overloaded", status=503)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not start")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
