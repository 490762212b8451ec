"""Journals written in a test, and the plans made of them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from myapp.scripts.importing import apart, journal, reading
from myapp.scripts.importing.plan import Plan


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a journal and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "journal.beancount"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def plan_of(write: Callable[[str], Path]) -> Callable[..., Plan]:
    """Return a function from a journal's text to its plan."""

    def plan_of(text: str, *, may_round: bool = False, **chosen_digits: int) -> Plan:
        read = reading.read(write(text), load=apart.load_here)
        return journal.plan(read, chosen_digits=chosen_digits, may_round=may_round)

    return plan_of
