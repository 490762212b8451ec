"""`pshell` opens as a workbench: pshell itself, with a test where somebody would sit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyramid.scripts.pshell import PShellCommand

from myapp import settings
from myapp.ledger import errors

INI = """\
[app:main]
use = egg:myapp

[pshell]
setup = myapp.scripts.shell.setup
"""

NOW = datetime(2026, 1, 1, tzinfo=UTC)

Sit = Callable[[dict[str, Any]], None]


@pytest.fixture
def pshell(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sit], None]:
    """Return a function that opens the shell, and does there what it is given."""
    monkeypatch.setenv(settings.URL_VARIABLE, database_url)
    path = tmp_path / "development.ini"
    path.write_text(INI, encoding="utf-8")

    def run(sit: Sit) -> None:
        opened: list[dict[str, Any]] = []

        def shell(environment: dict[str, Any], _help: str) -> None:
            opened.append(environment)
            sit(environment)

        PShellCommand(["pshell", str(path)], quiet=True).run(shell)
        (environment,) = opened
        engine = environment["registry"]["db.engine"]
        assert engine.pool.checkedout() == 0
        engine.dispose()

    return run


class TestShell:
    def test_opens_with_a_session_that_works_and_has_no_deadline(self, pshell: Callable[[Sit], None], name: str):
        def sit(shell: dict[str, Any]) -> None:
            assert shell["session"].unit.deadline is None
            shell["operations"].create_ledger(shell["session"], name, metadata={}, now=NOW)
            assert shell["queries"].get_ledger(shell["session"], name).name == name

        pshell(sit)

    def test_keeps_what_was_committed_and_nothing_else(self, pshell: Callable[[Sit], None], name: str):
        undone, left = f"{name}-undone", f"{name}-left"

        def sit(shell: dict[str, Any]) -> None:
            create = functools.partial(shell["operations"].create_ledger, metadata={}, now=NOW)
            create(shell["session"], name)
            create(shell["commit"](), undone)
            create(shell["undo"](), left)

        def look(shell: dict[str, Any]) -> None:
            get = functools.partial(shell["queries"].get_ledger, shell["session"])
            assert get(name).name == name
            for each in (undone, left):
                with pytest.raises(errors.NotFound):
                    get(each)

        pshell(sit)
        pshell(look)
