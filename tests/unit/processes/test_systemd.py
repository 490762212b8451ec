"""What systemd hands over, and what it is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from myapp.processes import systemd


class TestSockets:
    def test_are_none_without_systemd(self):
        assert systemd.sockets({}) == []

    def test_are_not_those_of_another_process(self):
        assert systemd.sockets({"LISTEN_PID": str(os.getppid()), "LISTEN_FDS": "1"}) == []

    def test_are_those_that_were_handed_over_and_not_passed_on_by_accident(self, monkeypatch: pytest.MonkeyPatch):
        with socket.create_server(("127.0.0.1", 0)) as door:
            address = door.getsockname()
            os.set_inheritable(door.fileno(), True)
            monkeypatch.setattr(systemd, "FIRST_SOCKET", door.detach())
            (taken,) = systemd.sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})

            with taken:
                assert taken.getsockname() == address
                assert taken.family == socket.AF_INET
                assert not taken.get_inheritable()


class TestNotify:
    @pytest.fixture(params=["in a directory", "abstract"])
    def address(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        return str(tmp_path / "notify") if request.param == "in a directory" else f"@{tmp_path}"

    @pytest.fixture
    def listener(self, address: str) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind("\0" + address[1:] if address[0] == "@" else address)
            listener.settimeout(10)
            yield listener

    def test_sends_each_state_on_a_line(self, address: str, listener: socket.socket):
        systemd.notify({"NOTIFY_SOCKET": address}, "READY=1", "STATUS=well")

        assert listener.recv(100) == b"READY=1\nSTATUS=well"

    def test_says_when_a_reload_began(self, address: str, listener: socket.socket):
        systemd.notify({"NOTIFY_SOCKET": address}, *systemd.reloading())

        first, second = listener.recv(100).decode().splitlines()
        assert first == "RELOADING=1"
        assert second.removeprefix("MONOTONIC_USEC=").isdigit()

    def test_is_silent_where_nobody_listens(self, tmp_path: Path):
        systemd.notify({}, "READY=1")
        systemd.notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, "READY=1")
