"""The command as a process of its own: its exit codes, and one clear message instead of a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from myapp.settings import URL_VARIABLE

JOURNAL = """\
2024-01-01 open Assets:Cash
2024-01-01 open Income:Work
2024-02-01 * "Paid"
  Assets:Cash  100.00 USD
  Income:Work
2024-02-02 balance Assets:Cash  100.00 USD
"""


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestMyapp:
    def test_imports_a_journal(self, process, write, name, database_url):
        result = process("import", write(JOURNAL), "--ledger", name, environ={URL_VARIABLE: database_url})
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"Ledger {name} (new), in ")
        assert "transactions  1 recorded, 0 already there" in result.out

    @pytest.mark.parametrize("amount", ["1/0", "99999999999999999999999999999999999.99"])
    def test_survives_an_amount_that_crashes_beancount(self, process, write, name, amount):
        path = write(JOURNAL.replace("100.00", amount, 1))
        result = process("import", path, "--ledger", name)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"myapp: {path}: Beancount, or a plugin, crashed")
        assert result.err.count("\n") == 1

    def test_makes_a_key_alone_on_the_last_line(self, process, database_url):
        result = process("keys", "create", "--all", "--scope", "read", environ={URL_VARIABLE: database_url})
        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines()[-1].startswith("myapp_")

    def test_says_nothing_when_nobody_reads_its_output(self, directory, database_url):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "myapp.scripts.main", "keys", "list"]
        # As usual, output waits in a buffer until the end.
        environ = {**os.environ, URL_VARIABLE: database_url, "PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environ, check=False)
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, b"")


class TestBeforeItStarts:
    """What stops a command is said on standard error alone, with exit code 2."""

    def refused(self, result) -> str:
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("myapp: ")
        assert "Traceback" not in result.err
        return result.err

    def test_settings_that_are_not_there(self, process, directory):
        (directory / "development.ini").unlink()
        message = self.refused(process("keys", "list"))
        assert "there is no development.ini here; name a file with --ini, or set MYAPP_DATABASE_URL" in message

    def test_a_settings_file_that_is_not_there(self, process):
        assert "nowhere.ini" in self.refused(process("keys", "list", "--ini", "nowhere.ini"))

    def test_bad_settings_all_of_them(self, process, directory):
        bad = "sqlalchemy.url = sqlite:///x\nmyapp.auth = sometimes\ndb.pool_size = many\n"
        (directory / "development.ini").write_text(f"[app:main]\n{bad}", encoding="utf-8")
        message = self.refused(process("keys", "list"))
        assert "myapp.auth" in message
        assert "db.pool_size" in message

    def test_a_schema_that_is_not_current(self, process, empty_database_url, dialect):
        result = process("keys", "list", environ={URL_VARIABLE: empty_database_url(dialect)})
        assert "alembic upgrade head" in self.refused(result)

    def test_a_database_that_does_not_answer(self, process, free_port):
        url = f"postgresql://user:secret@127.0.0.1:{free_port}/nowhere"
        message = self.refused(process("keys", "list", environ={URL_VARIABLE: url}))
        assert "cannot be used" in message
        assert "secret" not in message

    def test_a_service_that_does_not_answer(self, process, write, name, free_port):
        url = f"http://127.0.0.1:{free_port}"
        quick = "import time; time.sleep = lambda seconds: None"
        message = self.refused(process("import", write(JOURNAL), "--ledger", name, "--url", url, before=quick))
        assert f"The service at {url} does not answer: " in message

    def test_an_address_that_is_none(self, process, write, name):
        message = self.refused(process("import", write(JOURNAL), "--ledger", name, "--url", "localhost:6543"))
        assert message == ("myapp: localhost:6543 is no address of a service; it would be like http://127.0.0.1:6543\n")

    @pytest.mark.parametrize("missing", ["beancount", "tqdm"])
    def test_the_packages_that_read_journals(self, process, write, name, missing):
        absent = f"sys.modules[{missing!r}] = None"
        message = self.refused(process("import", write(JOURNAL), "--ledger", name, before=absent))
        assert message == (
            "myapp: Journals need packages that are not installed. In the project's root: "
            ".venv/bin/pip install -c constraints.txt -e '.[import]'\n"
        )
