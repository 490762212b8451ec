"""The units in docs/systemd fit what they start; how sockets are handed over is in tests/faults/test_processes.py."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from myapp import settings
from myapp.scripts import main, serve
from tests.unit.test_ini_files import server

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "docs" / "systemd"
ANALYZE = shutil.which("systemd-analyze")


def unit(name: str) -> configparser.ConfigParser:
    # A key may come twice in a unit.
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((UNITS / name).read_text(encoding="utf-8"))
    return parser


class TestService:
    def test_starts_a_command_that_there_is(self):
        program, *arguments = shlex.split(unit("myapp.service")["Service"]["ExecStart"])
        options = main._parser().parse_args(arguments)

        assert Path(program).name == "myapp"
        assert options.run is serve._run
        assert (ROOT / Path(options.ini).name).is_file()

    def test_gives_it_longer_to_end_than_it_takes(self):
        wanted = settings.read_server(server("production.ini", {}))

        longest = wanted.drain_seconds + wanted.shutdown_seconds
        assert int(unit("myapp.service")["Service"]["TimeoutStopSec"]) > longest

    def test_signals_the_main_process_alone(self):
        service = unit("myapp.service")["Service"]

        assert service["KillMode"] == "mixed"
        assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
        assert service["Type"] == "notify"

    def test_lets_a_process_choose_its_core(self):
        """Of the lines for a filter each goes on from what those before it left."""
        lines = (UNITS / "myapp.service").read_text(encoding="utf-8").splitlines()
        filters = [line.removeprefix("SystemCallFilter=") for line in lines if line.startswith("SystemCallFilter=")]

        assert settings.read_server(server("production.ini", {})).one_core
        assert filters[-1] == "sched_setaffinity"

    @pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
    def test_is_understood_by_systemd(self, tmp_path: Path):
        # It looks whether there is such a program.
        program = f"{Path(sys.executable).with_name('myapp')} serve"
        for path in UNITS.iterdir():
            text = path.read_text(encoding="utf-8").replace("/srv/myapp/.venv/bin/myapp serve", program)
            (tmp_path / path.name).write_text(text, encoding="utf-8")
        command = [str(ANALYZE), "verify", *map(str, tmp_path.iterdir())]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)

        assert (checked.returncode, checked.stderr) == (0, "")


class TestSocket:
    def test_is_the_address_of_the_service(self):
        listening = server("production.ini", {})

        assert unit("myapp.socket")["Socket"]["ListenStream"] == f"{listening['host']}:{listening['port']}"

    def test_is_the_one_the_service_takes(self):
        assert unit("myapp.service")["Unit"]["Requires"] == "myapp.socket"
