"""The README's commands do what the README says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from myapp import settings
from tests.docs import tour

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run `make serve` on a new database and return its port."""
    directory = tmp_path_factory.mktemp("serve")
    port = free_port()
    environment = {**os.environ, settings.URL_VARIABLE: f"sqlite:///{directory}/readme.sqlite"}
    with (directory / "output").open("w") as output:
        command = ["make", "serve", f"http_port={port}"]
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_it_answers(port, server, directory / "output")
        assert f"http://127.0.0.1:{port}/v1/ledgers" in (directory / "output").read_text()
        yield port
    finally:
        # Not SIGINT, which a run in the background ignores, and its children with it.
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def wait_until_it_answers(port: int, server: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"make serve did not answer:\n{output.read_text()}")


class TestTour:
    @pytest.mark.slow
    def test_every_command_prints_what_the_page_says(self, port: int):
        variables: dict[str, str] = {}
        ran = 0
        for step in tour.steps(README.read_text()):
            printed = tour.run(step, variables, port)
            assert tour.comparable(printed) == tour.comparable(step.printed), step.command
            ran += 1
        assert ran >= 10


class TestSettingsTable:
    def test_lists_every_setting_with_its_default_and_no_other(self):
        rows = re.findall(
            r"^\| `((?:sqlalchemy|db|retry|myapp)\.[a-z_.]+)` \| ([^|]*) \|", README.read_text(), flags=re.MULTILINE
        )
        listed = {key: default.strip().strip("`") for key, default in rows}

        assert listed == expected_defaults()


def expected_defaults() -> dict[str, str]:
    defaults: dict[str, str] = {}
    for group, values in (
        (settings.DATABASE, settings.Database(url="—")),
        (settings.APPLICATION, settings.Application()),
    ):
        for setting in group:
            defaults[setting.key] = as_ini(getattr(values, setting.field))
    return defaults


def as_ini(value: object) -> str:
    match value:
        case None | ():
            return "—"
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
    return str(value)
