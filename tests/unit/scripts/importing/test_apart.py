"""Whatever becomes of Beancount's loader, one message says so and this process lives on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myapp.scripts.importing import apart, reading
from myapp.scripts.importing.plan import JournalError

HUGE = "99999999999999999999999999999999999.99"
OPEN = """\
2024-01-01 open Assets:Cash
2024-01-01 open Income:Work
"""
PAID = '2024-02-01 * "Paid"\n  Assets:Cash  {}\n  Income:Work\n'

PLUGIN = """\
import os
from typing import NamedTuple

__plugins__ = ("run",)


class OwnError(NamedTuple):
    source: dict
    message: str
    entry: object


def run(entries, options):
    {}
    return entries, errors
"""


@pytest.fixture
def with_plugin(write: Callable[[str], Path]) -> Callable[[str], Path]:
    """Return a function from the body of a plugin to the path of a journal that names it."""

    def with_plugin(body: str) -> Path:
        path = write('option "insert_pythonpath" "TRUE"\nplugin "odd_plugin"\n' + OPEN)
        path.with_name("odd_plugin.py").write_text(PLUGIN.format(body), encoding="utf-8")
        return path

    return with_plugin


def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as refused:
        reading.read(path)
    return str(refused.value)


class TestLoad:
    def test_gives_what_the_loader_gives_in_this_process(self, write):
        path = str(write(OPEN + PAID.format("10.00 USD") + "2024-03-01 balance Assets:Cash  9.00 USD\n"))
        entries, errors, options = apart.load(path)
        here = apart.load_here(path)
        assert entries == here[0]
        assert [(type(error), error.message) for error in errors] == [(type(each), each.message) for each in here[1]]
        assert options["tolerance_multiplier"] == here[2]["tolerance_multiplier"]

    @pytest.mark.parametrize("entry", [PAID.format("1/0 USD"), "2024-02-01 balance Assets:Cash  1/0 USD\n"])
    def test_survives_the_parser(self, write, entry):
        path = write(OPEN + entry)
        message = refusal(path)
        assert message.startswith(f"{path}: Beancount, or a plugin, crashed on it or on a file that it includes (SIG")
        assert "Look for an amount that divides by zero" in message
        assert "\n" not in message

    def test_says_which_error_the_loader_raised(self, write, capfd):
        path = write(OPEN + PAID.format(f"{HUGE} USD"))
        assert "(InvalidOperation: " in refusal(path)
        assert capfd.readouterr() == ("", "")

    def test_says_that_a_plugin_ended_the_process(self, with_plugin):
        assert "exit code 3" in refusal(with_plugin("os._exit(3)"))

    def test_is_not_disturbed_by_what_a_plugin_prints(self, with_plugin, capfd):
        path = with_plugin("print('hello'); errors = []")
        assert len(reading.read(path).entries) == 2
        assert capfd.readouterr() == ("", "hello\n")

    def test_knows_the_errors_that_only_a_plugin_defines(self, with_plugin):
        path = with_plugin("errors = [OwnError({'filename': options['filename'], 'lineno': 3}, 'Odd.', None)]")
        assert refusal(path) == f"{path}:3: Odd."
