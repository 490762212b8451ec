"""What the pause before a repeat is worth: `python -m tests.benchmarks.backoff`.

Threads in one process change the same row at SERIALIZABLE, through an application of one view, as fast as they can; a
request that is in conflict at every attempt is refused. In alternating rounds; medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.db import retry
from tests import postgresql_server

PAUSES = ("0", "0.01", "0.05", "0.2")
THREADS = (2, 4, 8)
SECONDS = 2
ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="myapp_backoff_") as directory:
        Path(directory).chmod(0o755)
        url = postgresql_server.url(Path(directory))
        try:
            with sa.create_engine(url).begin() as connection:
                connection.exec_driver_sql("CREATE TABLE hot AS SELECT 0 AS number")
            print("| threads | first pause s | done/s | refused | repeats for each done |")
            print("|---|---|---|---|---|")
            for threads in THREADS:
                rounds = [[measured(url, threads, pause) for pause in PAUSES] for _ in range(ROUNDS)]
                for pause, found in zip(PAUSES, zip(*rounds, strict=True), strict=True):
                    done, refused, repeats = (statistics.median(each) for each in zip(*found, strict=True))
                    cells = (threads, pause, f"{done / SECONDS:.0f}", f"{100 * refused / (done + refused):.1f} %")
                    print(f"| {' | '.join(map(str, cells))} | {repeats / done:.2f} |", flush=True)
        finally:
            postgresql_server.stop(Path(directory))


def measured(url: str, threads: int, pause: str) -> tuple[int, int, int]:
    """Return how many requests were done and refused, and how often one was repeated."""
    repeats: list[object] = []
    config = Configurator(settings={"sqlalchemy.url": url, "retry.backoff_seconds": pause, "db.pool_size": "16"})
    config.include("myapp.db")
    config.add_subscriber(lambda _repeated: repeats.append(None), retry.Repeated)
    config.add_route("hot", "/hot")
    config.add_view(change, route_name="hot", db={"isolation": "SERIALIZABLE"})
    config.add_exception_view(lambda _exc, _request: Response(status=409), context=Exception)
    app = config.make_wsgi_app()
    until = time.monotonic() + SECONDS

    def work() -> list[int]:
        client = webtest.TestApp(app)
        statuses = []
        while time.monotonic() < until:
            statuses.append(client.post("/hot", status="*").status_int)
        return statuses

    with ThreadPoolExecutor(threads) as pool:
        clients = [pool.submit(work) for _ in range(threads)]
    app.registry["db.engine"].dispose()
    statuses = [status for client in clients for status in client.result()]
    return statuses.count(200), statuses.count(409), len(repeats)


def change(request: Request) -> Response:
    request.dbsession.execute(sa.text("SELECT number FROM hot"))
    request.dbsession.execute(sa.text("UPDATE hot SET number = number + 1"))
    return Response()


if __name__ == "__main__":
    main()
