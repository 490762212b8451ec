"""The command line as its users run it: in this process where that is enough, else as a process of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory
from myapp.scripts import main

INI = """\
[app:main]
use = egg:myapp
"""

# Ten years, the same on every run: see `bean-example --help`.
GENERATE = "from beancount.scripts.example import main; main()"
EXAMPLE = ["--date-begin", "2015-01-01", "--date-end", "2025-01-01", "--date-birth", "1980-05-12", "--seed", "7"]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal of ten years, as `bean-example` makes it."""
    path = tmp_path_factory.mktemp("journals") / "example.beancount"
    command = [sys.executable, "-c", GENERATE, *EXAMPLE, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def name() -> str:
    """Return the name of a ledger that is not there yet."""
    return f"journal-{secrets.token_hex(8)}"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a journal and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "journal.beancount"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory to run in, with a development.ini that names no database."""
    (tmp_path / "development.ini").write_text(INI, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def myapp(
    directory: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs a command on the tests' database, in this process."""
    monkeypatch.setenv(settings.URL_VARIABLE, database_url)

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def own_sessions(
    myapp: Run, dialect: str, fresh_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[sessionmaker[Session]]:
    """Return sessions on a database of their own, on which commands work from here on, for what takes every ledger."""
    url = fresh_database_url(dialect)
    monkeypatch.setenv(settings.URL_VARIABLE, url)
    engine = engines.build(settings.Database(url=url))
    yield factory.build(engine)
    engine.dispose()


@pytest.fixture
def process(directory: Path) -> Run:
    """Return a function that runs a command as a process of its own, with these variables besides the usual ones."""

    def run(*arguments: object, environ: Mapping[str, str] | None = None, before: str = "") -> Result:
        program = f"import sys\n{before}\nfrom myapp.scripts.main import main\nsys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **(environ or {})},
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
