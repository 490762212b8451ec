"""`alembic upgrade head`, run as an operator runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db.two_databases import decisions
from myapp.migrations import head

ROOT = Path(__file__).parents[2]
ALEMBIC = Path(sys.executable).with_name("alembic")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root of the project of its own, with nothing in it but the ini files."""
    for name in ("alembic.ini", "development.ini", "production.ini"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def start(root: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start the command and return it as it runs."""
    return subprocess.Popen(
        [str(ALEMBIC), *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alembic(root: Path, *arguments: str, **environ: str) -> str:
    """Run the command and return what it prints."""
    running = start(root, *arguments, **environ)
    out, err = running.communicate()
    assert running.returncode == 0, err
    return out


def is_at_head(url: str) -> bool:
    engine = engines.build(settings.Database(url=url))
    try:
        head.require(engine)
    except head.SchemaError:
        return False
    finally:
        engine.dispose()
    return True


class TestUpgrade:
    def test_brings_the_database_of_development_ini_to_head(self, root: Path):
        alembic(root, "upgrade", "head")

        assert is_at_head(f"sqlite:///{root}/myapp.sqlite")

    def test_prefers_the_environment(self, root: Path, dialect: str, empty_database_url: Callable[[str], str]):
        url = empty_database_url(dialect)
        assert not is_at_head(url)

        alembic(root, "upgrade", "head", MYAPP_DATABASE_URL=url)

        assert is_at_head(url)
        assert not (root / "myapp.sqlite").exists()

    def test_takes_another_ini_file(self, root: Path):
        (root / "other.ini").write_text("[app:main]\nsqlalchemy.url = sqlite:///%(here)s/other.sqlite\n")

        alembic(root, "-x", "ini=other.ini", "upgrade", "head")

        assert is_at_head(f"sqlite:///{root}/other.sqlite")

    def test_prints_sql_that_does_the_same(self, root: Path, dialect: str, empty_database_url: Callable[[str], str]):
        url = empty_database_url(dialect)

        script = alembic(root, "upgrade", "head", "--sql", MYAPP_DATABASE_URL=url)
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            driver = connection.connection.dbapi_connection
            (driver.executescript if dialect == "sqlite" else driver.execute)(script)
            connection.commit()

        assert is_at_head(url)


class TestCheck:
    def test_leaves_the_table_of_the_decisions_about_a_second_database_alone(
        self, root: Path, fresh_database_url: Callable[[str], str]
    ):
        url = fresh_database_url("postgresql")
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
            connection.exec_driver_sql(decisions.TABLE)

        assert "No new upgrade operations detected" in alembic(root, "check", MYAPP_DATABASE_URL=url)


LOCK_SECONDS = 60

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class TestTwoUpgradesAtOnce:
    def test_both_end_well(self, root: Path, empty_database_url: Callable[[str], str]):
        url = empty_database_url("postgresql")
        (root / "patient.ini").write_text(f"[app:main]\ndb.lock_timeout_seconds = {LOCK_SECONDS}\n")
        engine = sa.create_engine(url, poolclass=sa.NullPool)

        # Both are let go when both wait: for this table of Alembic's, or one for the other.
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
            command = ("-x", "ini=patient.ini", "upgrade", "head")
            both = [start(root, *command, MYAPP_DATABASE_URL=url) for _ in range(2)]
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
                give_up_at = time.monotonic() + LOCK_SECONDS
                while watching.exec_driver_sql(WAITING).scalar_one() < len(both) and time.monotonic() < give_up_at:
                    time.sleep(0.05)
            connection.rollback()
        complaints = [each.communicate(timeout=LOCK_SECONDS)[1] for each in both]

        assert [each.returncode for each in both] == [0, 0], complaints
        assert is_at_head(url)


class TestRefusal:
    @pytest.mark.parametrize(
        "url",
        [
            "nonsense",
            "mysql://somewhere/ledger",
            "sqlite:////no/such/directory/ledger.sqlite",
            "postgresql://myapp:secret@127.0.0.1:1/ledger",
        ],
    )
    def test_is_one_line(self, root: Path, url: str):
        running = start(root, "upgrade", "head", MYAPP_DATABASE_URL=url)
        out, err = running.communicate()

        assert running.returncode != 0
        assert len(out.splitlines()) == 1, out
        assert out.startswith("FAILED: ")
        assert "Traceback" not in err
        assert "secret" not in out + err

    def test_names_the_ini_file_that_is_not_there(self, root: Path):
        running = start(root, "-x", "ini=nowhere.ini", "upgrade", "head")
        out, err = running.communicate()

        assert running.returncode != 0
        assert out.startswith("FAILED: nowhere.ini: cannot be read as an ini file")
        assert "Traceback" not in err
