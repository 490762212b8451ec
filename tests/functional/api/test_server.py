"""What only a real server can show: `pserve development.ini`, on the address that clients connect to."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from myapp import settings
from tests import databases

ROOT = Path(__file__).parents[3]
START_SECONDS = 30
HALF_OPEN = 130

pytestmark = [pytest.mark.slow, pytest.mark.commits]


@pytest.fixture(scope="module")
def port(databases_of: Callable[[str], databases.Databases]) -> Iterator[int]:
    """Return the port of a server as a developer starts it, on a database of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pyramid.scripts.pserve", "development.ini", f"http_port={port}"]
    with databases_of("sqlite").private() as url:
        environ = os.environ | {settings.URL_VARIABLE: url}
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        assert process.poll() is None, "pserve ended at its start"
        assert time.monotonic() < deadline, "pserve did not answer"
        time.sleep(0.05)


def get(port: int, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    finally:
        connection.close()


class TestOpenAccess:
    def test_is_open_to_this_machine(self, port: int) -> None:
        assert get(port, "/v1/ledgers") == 200

    @pytest.mark.parametrize(
        "header",
        [
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "Forwarded",
            "Via",
            "X-Real-Ip",
            "X-Client-Ip",
            "True-Client-Ip",
            "CF-Connecting-Ip",
        ],
    )
    def test_is_closed_to_what_a_proxy_passes_on(self, port: int, header: str) -> None:
        assert get(port, "/v1/ledgers", **{header: "127.0.0.1"}) == 403


def test_half_open_connections_lock_nobody_out(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(HALF_OPEN):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            silent.sendall(b"POST /v1/ledgers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")

        assert get(port, "/healthz") == 200
