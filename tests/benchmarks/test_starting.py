"""A start is timed until its answers, imports are summed by package, and what is not well is told."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tests.benchmarks import starting
from tests.benchmarks.starting import Start, Starting, StartupFindings
from tests.own_postgresql import free_port

LOG = """\
import time: self [us] | cumulative | imported package
import time:       120 |        120 |   zipimport
import time:      1500 |       4000 |     sqlalchemy.orm
import time:      2500 |       2500 | sqlalchemy
something else
import time:       300 |        300 | myapp.errors
"""
SERVER = ["-m", "http.server", "{port}", "--bind", "127.0.0.1"]
STARTING = Starting(name="own", title="Own", command=SERVER, environment=os.environ, paths=["/"], headers={})
FOUND = StartupFindings(
    bench="startup",
    title="Starting",
    titles={"ours": "Ours", "trivial": "Trivial"},
    starts=[
        Start(name="ours", listening_ms=900.0, answered_ms={"/a": 1_000.0, "/b": 1_100.0}, faults=[]),
        Start(name="trivial", listening_ms=400.0, answered_ms={"/a": 410.0}, faults=[]),
        Start(name="ours", listening_ms=1_900.0, answered_ms={"/a": 1_950.0, "/b": 2_000.0}, faults=[]),
    ],
    imports_ms={"ours": {"myapp": 500.0, "re": 3.0}, "trivial": {"re": 4.0, "json": 1.0}},
    stages_ms={"imports": 700.0},
)


class TestImports:
    def test_are_summed_by_package_the_longest_first(self):
        assert list(starting.imports(LOG).items()) == [("sqlalchemy", 4.0), ("myapp", 0.3), ("zipimport", 0.12)]


class TestStart:
    def test_is_timed_until_the_port_is_open_and_until_each_answer(self, tmp_path: Path):
        found = starting.start(STARTING, free_port(), tmp_path / "log", "-X", "importtime")

        assert 0 < found.listening_ms < found.answered_ms["/"]
        assert found.faults == []
        assert "socketserver" in starting.imports((tmp_path / "log").read_text(encoding="utf-8"))

    def test_tells_another_answer(self, tmp_path: Path):
        asking = dataclasses.replace(STARTING, paths=["/nowhere-to-be-found"])

        assert starting.start(asking, free_port(), tmp_path / "log").faults == [
            "own: GET /nowhere-to-be-found was answered 404"
        ]

    def test_fails_with_what_was_said_where_nothing_is_served(self, tmp_path: Path):
        failing = dataclasses.replace(STARTING, command=["-c", "raise SystemExit('no database')"])

        with pytest.raises(RuntimeError, match="no database"):
            starting.start(failing, free_port(), tmp_path / "log")


class TestFindings:
    def test_survive_json(self):
        assert StartupFindings.from_json(FOUND.to_json()) == FOUND

    def test_are_told_by_medians_with_the_goal(self):
        text = starting.render(FOUND)

        assert "| Ours | 1,400 (900–1,900) | 1,475 (1,000–1,950) | 1,550 (1,100–2,000) | ≤ 1,500: yes |" in text  # noqa: RUF001
        assert "| myapp | 500.0 | 0.0 |" in text
        assert "| all others | 0.0 | 1.0 |" in text
        assert "| together | 503.0 | 5.0 |" in text

    def test_say_what_is_not_well(self):
        refusing = dataclasses.replace(FOUND.starts[0], faults=["ours: GET /a was answered 503"])
        unwell = dataclasses.replace(FOUND, starts=[refusing])

        assert FOUND.is_well()
        assert not unwell.is_well()
        text = starting.render(dataclasses.replace(FOUND, starts=[*FOUND.starts, refusing]))
        assert "- ours: GET /a was answered 503" in text
