"""A server that is gone under load is told, with what it wrote."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.benchmarks.load.order import Call
from tests.benchmarks.running import Load, Server
from tests.own_postgresql import free_port

# Listens until somebody asks.
ENDING = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    while True:
        connection, _address = listening.accept()
        with connection:
            if connection.recv(1):
                sys.exit("out of memory, say")
"""


class TestServer:
    def test_that_ends_under_load_is_told_with_what_it_wrote(self, tmp_path: Path):
        port = free_port()
        command = [sys.executable, "-c", ENDING, str(port)]
        server = Server(command=command, environment=os.environ, port=port, log=tmp_path / "log")
        server.start()
        try:
            with pytest.raises(RuntimeError, match=r"It ended with 1, and wrote:\nout of memory, say"):
                server.give(Load(calls=[Call(path="/")], seconds=30, key="k", connections=1))
        finally:
            server.stop()

    def test_that_never_serves_is_told_with_what_it_wrote(self, tmp_path: Path):
        command = [sys.executable, "-c", "raise SystemExit('no database')"]
        server = Server(command=command, environment=os.environ, port=free_port(), log=tmp_path / "log")

        with pytest.raises(RuntimeError, match="no database"):
            server.start()
