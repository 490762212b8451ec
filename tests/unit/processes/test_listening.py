"""The addresses of the settings, bound as waitress would."""

from __future__ import annotations

import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest
from waitress.adjustments import Adjustments

from myapp.processes import listening


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestBind:
    def test_is_done_for_each_address_and_refuses_until_somebody_listens(self, port: int):
        bound = listening.bind(Adjustments(listen=f"127.0.0.1:{port} [::1]:{port}"))

        assert [each.getsockname()[:2] for each in bound] == [("127.0.0.1", port), ("::1", port)]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        bound[0].listen()
        socket.create_connection(("127.0.0.1", port)).close()
        listening.close(bound)

    def test_takes_a_path_with_its_permissions(self, tmp_path: Path):
        path = tmp_path / "door"
        for _ in range(2):
            # The second time something is left there.
            (bound,) = listening.bind(Adjustments(unix_socket=str(path), unix_socket_perms="660"))
            listening.close([bound])

        assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def test_says_what_is_taken(self, port: int):
        with (
            closing(socket.create_server(("127.0.0.1", port))),
            pytest.raises(listening.CannotListen, match=f"127.0.0.1:{port}: Address already in use"),
        ):
            listening.bind(Adjustments(listen=f"127.0.0.1:{port}"))


class TestBindOwn:
    def test_adds_the_number_of_the_worker_to_the_port(self, port: int):
        (bound,) = listening.bind_own(f"127.0.0.1:{port - 3}", 3)

        assert bound.getsockname() == ("127.0.0.1", port)
        bound.close()
