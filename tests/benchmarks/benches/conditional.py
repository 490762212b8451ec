"""Look at an account that has not changed since: 304 without a body, against the whole answer."""

from __future__ import annotations

import dataclasses
import http.client
from collections.abc import Sequence

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison
from tests.benchmarks.load.order import Call
from tests.benchmarks.running import ANSWER_SECONDS, HOST, Running, Server

NOT_MODIFIED = "304"


def unchanged(running: Running, calls: Sequence[Call]) -> Sequence[Call]:
    """Return the requests with the tag that each account has now."""
    assert isinstance(running, Server)
    connection = http.client.HTTPConnection(HOST, running.port, timeout=ANSWER_SECONDS)
    tags = {path: _tag(connection, running, path) for path in sorted({call.path for call in calls})}
    connection.close()
    return [
        dataclasses.replace(call, headers={"If-None-Match": tags[call.path]}, expected=NOT_MODIFIED) for call in calls
    ]


def _tag(connection: http.client.HTTPConnection, server: Server, path: str) -> str:
    connection.request("GET", path, headers=dict(server.headers))
    answer = connection.getresponse()
    answer.read()
    tag = answer.headers["ETag"]
    if tag is None:
        connection.close()
        raise RuntimeError(f"GET {path} was answered {answer.status}, without an ETag.")
    return tag


CONDITIONAL = dataclasses.replace(
    sides.APPLICATION, name="myapp-unchanged", title="If-None-Match, answered 304", known=unchanged
)
WHOLE = dataclasses.replace(sides.APPLICATION, title="the whole answer")

BENCH = Comparison(
    name="conditional",
    title="Look at an account that is as it was",
    sides=[CONDITIONAL, WHOLE],
    calls=payloads.accounts,
    needs_transactions=True,
)
