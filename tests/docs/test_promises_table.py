"""The page on sessions names, for each promise, the tests that hold the code to it; they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sessions.md").read_text(encoding="utf-8")
CHAPTER = PAGE.split("\n## What is promised", 1)[1].split("\n## ", 1)[0]
ROWS = re.findall(r"^\| (\d+) .*\| ([^|]+) \|$", CHAPTER, re.MULTILINE)
PROMISES = range(1, 25)


def test_has_a_row_for_each_promise():
    assert [int(number) for number, _tests in ROWS] == list(PROMISES)


def test_names_tests_that_there_are():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for number, named in ROWS:
        names = re.findall(r"`([^`]+)`", named)
        assert names, f"promise {number} names no test"
        for name in names:
            assert _exists(name, sources), f"promise {number} names {name}"


def _exists(name: str, sources: str) -> bool:
    if name.startswith("make "):
        return f"\n{name.removeprefix('make ')}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    if name.endswith(".py"):
        return any((ROOT / "tests").rglob(name.removeprefix("tests/").rpartition("/")[2]))
    return f"class {name}:" in sources
