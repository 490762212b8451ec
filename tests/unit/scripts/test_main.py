from __future__ import annotations

import pytest

from myapp.scripts import main


def exit_code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as stopped:
        main.main(arguments)
    return stopped.value.code


class TestMain:
    @pytest.mark.parametrize(
        "arguments", [("--help",), ("import", "--help"), ("keys", "create", "--help"), ("prune", "--help")]
    )
    def test_helps(self, capsys, arguments):
        assert exit_code(*arguments) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith("usage: myapp")
        assert shown.err == ""

    def test_warns_that_a_journals_plugins_are_run(self, capsys):
        exit_code("import", "--help")
        assert "The plugins that a Beancount journal names are Python code, and it is run" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("import",),
            ("keys",),
            ("nonsense",),
            ("import", "x", "--ledger", "a/b"),
            ("import", "x", "--ledger", "y", "--digits", "VTI"),
        ],
    )
    def test_refuses_what_it_does_not_know(self, capsys, arguments):
        assert exit_code(*arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("usage: myapp")
