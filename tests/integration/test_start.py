"""The application starts on a current schema and good settings, and otherwise says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

import myapp


class TestStart:
    def test_refuses_an_empty_database_and_names_the_command(
        self, dialect: str, empty_database_url: Callable[[str], str]
    ):
        with pytest.raises(SystemExit, match="alembic upgrade head") as caught:
            myapp.main({}, **{"sqlalchemy.url": empty_database_url(dialect)})

        assert "it is at: empty" in str(caught.value)

    def test_names_the_command_for_its_own_ini_file(self, tmp_path: Path):
        url = f"sqlite:///{tmp_path}/none.sqlite"

        with pytest.raises(SystemExit, match=r"alembic -x ini=/etc/myapp/production\.ini upgrade head"):
            myapp.main({"__file__": "/etc/myapp/production.ini"}, **{"sqlalchemy.url": url})

        assert not (tmp_path / "none.sqlite").exists()

    def test_says_that_a_file_is_no_database(self, tmp_path: Path):
        (tmp_path / "letter.sqlite").write_text("Dear Sir or Madam, " * 100)

        with pytest.raises(SystemExit, match="cannot be used: file is not a database"):
            myapp.main({}, **{"sqlalchemy.url": f"sqlite:///{tmp_path}/letter.sqlite"})

    def test_refuses_another_schema(self, dialect: str, fresh_database_url: Callable[[str], str]):
        url = fresh_database_url(dialect)
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'f000'")

        with pytest.raises(SystemExit, match="it is at: f000"):
            myapp.main({}, **{"sqlalchemy.url": url})

    def test_says_that_the_database_cannot_be_used_and_never_shows_the_password(self):
        url = sa.make_url("postgresql://someone:secret@127.0.0.1:1/none")

        with pytest.raises(SystemExit, match="cannot be used") as caught:
            myapp.main({}, **{"sqlalchemy.url": url.render_as_string(hide_password=False)})

        assert "secret" not in str(caught.value)

    def test_refuses_bad_settings_before_it_touches_the_database(self):
        with pytest.raises(SystemExit, match=r"myapp\.auth"):
            myapp.main({}, **{"sqlalchemy.url": "sqlite:////nowhere/x.sqlite", "myapp.auth": "closed"})
