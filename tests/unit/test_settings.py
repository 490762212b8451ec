"""Settings: typed, frozen, and every bad one reported, all together."""

from __future__ import annotations

import pytest

from myapp import settings

URL = {"sqlalchemy.url": "sqlite:///x.sqlite"}


class TestRead:
    def test_has_a_default_for_everything_but_the_url(self):
        read = settings.read(URL, {})

        assert read.database == settings.Database(url="sqlite:///x.sqlite")
        assert read.application == settings.Application()

    def test_takes_the_url_from_the_environment_first(self):
        read = settings.read(URL, {"MYAPP_DATABASE_URL": "postgresql://elsewhere"})

        assert read.database.url == "postgresql://elsewhere"

    def test_an_empty_variable_is_none(self):
        assert settings.read(URL, {"MYAPP_DATABASE_URL": ""}).database.url == URL["sqlalchemy.url"]

    def test_reports_all_bad_settings_together(self):
        raw = {
            "db.pool_size": "many",
            "db.lock_timeout_seconds": "-1",
            "db.isolation": "chaos",
            "db.pool_sise": "3",
            "myapp.auth": "closed",
            "myapp.idempotency_days": "0",
            "retry.attempts": "0",
            "sqlalchemy.echo": "true",
            "colour": "red",
        }
        with pytest.raises(settings.SettingsError) as caught:
            settings.read(raw, {})

        named = {problem.split(" ")[0].rstrip(":") for problem in caught.value.problems}
        assert named == {*raw, "sqlalchemy.url"}
        assert "myapp.auth = 'closed': expected keys | open" in str(caught.value)

    @pytest.mark.parametrize("text", ["nan", "inf", "0", "0.0004", "-1", "1e9", "", "a while"])
    def test_a_wait_is_a_number_of_seconds(self, text: str):
        with pytest.raises(settings.SettingsError, match=r"db\.pool_timeout_seconds"):
            settings.read({**URL, "db.pool_timeout_seconds": text}, {})

    @pytest.mark.parametrize("days", ["0", "36501", "1e3", "-1"])
    def test_keys_are_remembered_for_a_number_of_days_that_exists(self, days: str):
        with pytest.raises(settings.SettingsError, match=r"myapp\.idempotency_days"):
            settings.read({**URL, "myapp.idempotency_days": days}, {})

    @pytest.mark.parametrize("text", ["work_mem=64MB  plan_cache_mode=force_custom_plan", ""])
    def test_takes_parameters_or_none(self, text: str):
        assert settings.read({**URL, "db.parameters": text}, {}).database.parameters == text

    @pytest.mark.parametrize("text", ["work_mem", "work_mem=", "=1", "a-b=1", "a =1", "x='1'", "x=1\\", "x=1=2"])
    def test_a_parameter_is_a_name_and_a_value(self, text: str):
        with pytest.raises(settings.SettingsError, match=r"db\.parameters"):
            settings.read({**URL, "db.parameters": text}, {})

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://u:p%40@10.0.0.1/db",
            "postgresql+psycopg://u@[::1]:5432/db",
            "postgresql:///db?host=/run/postgresql",
            "sqlite:////a/b.sqlite",
            "sqlite+pysqlite:///relative.sqlite",
        ],
    )
    def test_takes_the_url_of_a_database_it_knows(self, url: str):
        assert settings.read({"sqlalchemy.url": url}, {}).database.url == url

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://x",
            "foo",
            "",
            "postgresql+asyncpg://x/y",
            "postgresql://u:p@host:port/db",
            "sqlite://",
            "sqlite:///:memory:",
        ],
    )
    def test_refuses_any_other_together_with_what_else_is_wrong(self, url: str):
        with pytest.raises(settings.SettingsError) as caught:
            settings.read({"sqlalchemy.url": url, "db.pool_size": "x"}, {})

        assert len(caught.value.problems) == 2

    def test_leaves_the_libraries_their_own(self):
        settings.read({**URL, "pyramid.debug_all": "true"}, {})


class TestReadDatabase:
    def test_leaves_another_applications_settings_alone(self):
        read = settings.read_database({**URL, "colour": "red", "db.pool_size": "3"}, {})

        assert read.pool_size == 3

    def test_refuses_an_unknown_setting_of_its_own(self):
        with pytest.raises(settings.SettingsError, match=r"db\.pool_sise: there is no such setting"):
            settings.read_database({**URL, "db.pool_sise": "3"}, {})


class TestPasswords:
    PASSWORD = "hunter/2@home"

    @pytest.mark.parametrize("key", ["sqlalchemy.url", "sqlalchemy.replica_urls", "sqlalchemy.second_url"])
    @pytest.mark.parametrize("url", ["mysql://clerk:{}@host/db", "postgresql://clerk:{}@host:port/db"])
    def test_are_in_no_complaint(self, key: str, url: str):
        bad = url.format(self.PASSWORD)
        text = f"postgresql://clerk:{self.PASSWORD}@a/db {bad}" if key.endswith("s") else bad

        with pytest.raises(settings.SettingsError, match=key) as caught:
            settings.read_database({"sqlalchemy.url": "postgresql://p/db", key: text}, {})

        assert "clerk" in str(caught.value)
        assert not [part for part in ("hunter", "2@", "home") if part in str(caught.value)]

    def test_are_in_no_representation(self):
        url = f"postgresql://clerk:{self.PASSWORD}@host/db"

        assert "hunter" not in repr(settings.Database(url=url, replica_urls=(url,), second_url=url))


class TestReadIni:
    def test_gives_the_section_as_the_application_sees_it(self, tmp_path):
        file = tmp_path / "some.ini"
        file.write_text(
            "[DEFAULT]\nhttp_port = 1\n[app:main]\nuse = egg:myapp\nsqlalchemy.url = sqlite:///%(here)s/x.sqlite\n"
        )

        assert settings.read_ini(str(file)) == {"sqlalchemy.url": f"sqlite:///{tmp_path}/x.sqlite"}

    @pytest.mark.parametrize("text", [None, "", "[app:main", "[app:other]\nx = 1", "[app:main]\nx = %(unknown)s"])
    def test_says_which_file_is_not_usable(self, tmp_path, text: str | None):
        file = tmp_path / "some.ini"
        if text is not None:
            file.write_text(text)

        with pytest.raises(settings.SettingsError, match=r"some\.ini"):
            settings.read_ini(str(file))


class TestReplicas:
    URLS = "postgresql://a/db\n  postgresql:///db?host=b:5432&host=c:5433"
    SECRET = "0123456789abcdef0123456789abcdef"

    def test_are_listed_with_space_between_them(self):
        raw = {
            "sqlalchemy.url": "postgresql://p/db",
            "sqlalchemy.replica_urls": self.URLS,
            "db.token_secret": self.SECRET,
        }

        database = settings.read_database(raw, {})

        assert database.replica_urls == ("postgresql://a/db", "postgresql:///db?host=b:5432&host=c:5433")
        assert self.SECRET not in repr(database)

    def test_come_from_the_environment_first(self):
        environ = {"MYAPP_REPLICA_URLS": "postgresql://e/db", "MYAPP_TOKEN_SECRET": self.SECRET}

        database = settings.read_database({"sqlalchemy.url": "postgresql://p/db"}, environ)

        assert (database.replica_urls, database.token_secret) == (("postgresql://e/db",), self.SECRET)

    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            ({**URL, "sqlalchemy.replica_urls": "postgresql://a/db", "db.token_secret": SECRET}, "only a PostgreSQL"),
            ({"sqlalchemy.url": "postgresql://p/db", "sqlalchemy.replica_urls": "sqlite:///a"}, "of each replica"),
            ({"sqlalchemy.url": "postgresql://p/db", "sqlalchemy.replica_urls": URLS}, "db.token_secret is missing"),
            ({**URL, "db.token_secret": "too short"}, "db.token_secret = …: expected at least 32 characters"),
        ],
    )
    def test_that_cannot_work_stop_the_start(self, raw: dict[str, str], problem: str):
        with pytest.raises(settings.SettingsError) as caught:
            settings.read_database(raw, {})

        assert len(caught.value.problems) == 1
        assert problem in caught.value.problems[0]


class TestSecondDatabase:
    POSTGRESQL = "postgresql://p/db"

    def test_is_named_in_the_file_or_the_environment(self):
        named = settings.read_database(
            {"sqlalchemy.url": self.POSTGRESQL, "sqlalchemy.second_url": "postgresql:///a"}, {}
        )
        given = settings.read_database(
            {"sqlalchemy.url": self.POSTGRESQL}, {"MYAPP_SECOND_DATABASE_URL": "postgresql:///b"}
        )

        assert (named.second_url, given.second_url) == ("postgresql:///a", "postgresql:///b")

    @pytest.mark.parametrize(("first", "second"), [(POSTGRESQL, "sqlite:////a"), ("sqlite:////a", POSTGRESQL)])
    def test_needs_postgresql_on_both_sides(self, first: str, second: str):
        with pytest.raises(settings.SettingsError) as caught:
            settings.read_database({"sqlalchemy.url": first, "sqlalchemy.second_url": second}, {})

        assert [problem.startswith("sqlalchemy.second_url") for problem in caught.value.problems] == [True]
