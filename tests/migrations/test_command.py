"""`alembic upgrade head`, run as an operator runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.migrations import head

ROOT = Path(__file__).parents[2]
ALEMBIC = Path(sys.executable).with_name("alembic")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root of the project of its own, with nothing in it but the ini files."""
    for name in ("alembic.ini", "development.ini", "production.ini"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def alembic(root: Path, *arguments: str, **environ: str) -> str:
    """Run the command and return what it prints."""
    done = subprocess.run(
        [str(ALEMBIC), *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
