"""Read the ini file and the environment into frozen, typed values, once, at start.

Every bad setting is reported, all of them together: a start either has settings that make sense or does not happen.
Units are part of the names. The table of settings in the README is kept equal to `DATABASE` and `APPLICATION`.
"""

from __future__ import annotations

import configparser
import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from myapp import errors

URL_VARIABLE = "MYAPP_DATABASE_URL"
# What differs from machine to machine, or is nobody's business, may stand in the environment; there it counts more.
VARIABLES = {
    URL_VARIABLE: "sqlalchemy.url",
    "MYAPP_REPLICA_URLS": "sqlalchemy.replica_urls",
    "MYAPP_SECOND_DATABASE_URL": "sqlalchemy.second_url",
    "MYAPP_TOKEN_SECRET": "db.token_secret",
}

# Settings of the libraries this application includes; they check their own values.
FOREIGN_PREFIXES = ("pyramid.", "debugtoolbar.")

# The drivers this project is made and tested with.
SQLITE = ("sqlite", "sqlite+pysqlite")
POSTGRESQL = ("postgresql", "postgresql+psycopg")

# Databases count time-outs in whole milliseconds, and zero of them means no bound at all.
SECONDS_MIN, SECONDS_MAX = 0.001, 3600
# A hundred years, so that every date reckoned from it exists.
DAYS_MAX = 36_500

SECRET_LENGTH_MIN = 32

Number = TypeVar("Number", int, float)

ISOLATION_LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class SettingsError(errors.MyappError):
    """One or more settings are missing, unknown or malformed; the message lists each."""

    code = "settings"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The settings are not usable:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = tuple(problems)


class Auth(enum.StrEnum):
    """Who may call the API."""

    KEYS = "keys"
    OPEN = "open"


class Recording(enum.StrEnum):
    """The form in which transactions are recorded; `auto` chooses by the database."""

    AUTO = "auto"
    STATEMENT = "statement"
    STEPS = "steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What `myapp.db` needs to know."""

    url: str = field(repr=False)
    replica_urls: tuple[str, ...] = field(default=(), repr=False)
    second_url: str | None = field(default=None, repr=False)
    token_secret: str | None = field(default=None, repr=False)
    writes: bool = True
    application_name: str = "myapp"
    pool_size: int = 8
    pool_timeout_seconds: float = 2.0
    waiting_max: int = 32
    busy_timeout_seconds: float = 5.0
    lock_timeout_seconds: float = 5.0
    deadline_seconds: float = 30.0
    isolation: str | None = None
    # Queries ask for a stretch of one index, or for one key after the other; see docs/decisions/0031-plans.md.
    parameters: str = "enable_bitmapscan=off jit=off"
    prepared_statements: bool = True
    retry_attempts: int = 3
    retry_backoff_seconds: float = 0.05
    repeated_statement_warning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What the ledger's HTTP service needs to know."""

    auth: Auth = Auth.KEYS
    recording: Recording = Recording.AUTO
    body_bytes_max: int = 16 * 1024 * 1024
    idempotency_days: int = 7
    remember_seconds: float = 1.0
    followers_max: int = 4
    webhook_timeout_seconds: float = 15.0
    webhook_backoff_seconds: float = 5.0
    webhook_disable_days: int = 5
    webhook_private_targets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How `myapp.server` runs and ends, and where each of several processes is reached; the rest is waitress's."""

    shutdown_seconds: float = 30.0
    drain_seconds: float = 0.0
    worker_listen: str | None = None
    one_core: bool = False


def _url(text: str) -> str:
    parts = urlsplit(text)
    # A SQLite database is a file: each connection to one in memory has a database of its own.
    is_file = parts.path not in ("", "/", "/:memory:")
    # A port that is no number is found when it is asked for.
    is_known = is_file if parts.scheme in SQLITE else parts.scheme in POSTGRESQL and (parts.port or 0) >= 0
    if not is_known:
        raise ValueError
    return text


def _second_url(text: str) -> str:
    if _is_sqlite(_url(text)):
        raise ValueError
    return text


def _replica_urls(text: str) -> tuple[str, ...]:
    urls = tuple(_url(url) for url in text.split())
    if any(_is_sqlite(url) for url in urls):
        raise ValueError
    return urls


def _is_sqlite(url: str) -> bool:
    return urlsplit(url).scheme in SQLITE


def _secret(text: str) -> str:
    if len(text) < SECRET_LENGTH_MIN:
        raise ValueError
    return text


def _within(number: Number, low: Number, high: Number) -> Number:
    if not low <= number <= high:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    return _within(float(text), SECONDS_MIN, SECONDS_MAX)


def _pause(text: str) -> float:
    return _within(float(text), 0.0, SECONDS_MAX)


def _count(text: str) -> int:
    return _within(int(text), 1, 2**31 - 1)


def _days(text: str) -> int:
    return _within(int(text), 1, DAYS_MAX)


def _size(text: str) -> int:
    return 0 if text.strip() == "0" else _count(text)


def _switch(text: str) -> bool:
    try:
        return {"on": True, "off": False}[text.strip().lower()]
    except KeyError:
        raise ValueError from None


def _isolation(text: str) -> str:
    level = text.upper().replace("_", " ")
    if level not in ISOLATION_LEVELS:
        raise ValueError
    return level


def _parameters(text: str) -> str:
    if not all(re.fullmatch(r"[a-z_][a-z0-9_.]*=[^\s'\\=]+", each) for each in text.split()):
        raise ValueError
    return text


def _address(text: str) -> str:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or not parts.port or parts.netloc != text:
        raise ValueError
    return text


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of the ini file: the field it fills, how it is read, and what a good value is."""

    key: str
    field: str
    read: Callable[[str], object]
    expects: str
    is_secret: bool = False


DAYS = f"a number of days from 1 to {DAYS_MAX}"
SECONDS = f"a number of seconds from {SECONDS_MIN} to {SECONDS_MAX}"
PAUSE = f"a number of seconds from 0 to {SECONDS_MAX}"
FROM_0, FROM_1 = "a whole number from 0", "a whole number from 1"
POSTGRESQL_URL = "postgresql://user:password@host:port/database"
URL = f"sqlite:////path/to/file or {POSTGRESQL_URL}"

DATABASE: Sequence[Setting] = (
    Setting(key="sqlalchemy.url", field="url", read=_url, expects=URL),
    Setting(
        key="sqlalchemy.replica_urls",
        field="replica_urls",
        read=_replica_urls,
        expects="postgresql://… of each replica, with spaces between them",
    ),
    Setting(key="sqlalchemy.second_url", field="second_url", read=_second_url, expects=POSTGRESQL_URL),
    Setting(
        key="db.token_secret",
        field="token_secret",
        read=_secret,
        expects=f"at least {SECRET_LENGTH_MIN} characters",
        is_secret=True,
    ),
    Setting(key="db.writes", field="writes", read=_switch, expects="on | off"),
    Setting(key="db.application_name", field="application_name", read=_name, expects="a name"),
    Setting(key="db.pool_size", field="pool_size", read=_count, expects=FROM_1),
    Setting(key="db.pool_timeout_seconds", field="pool_timeout_seconds", read=_seconds, expects=SECONDS),
    Setting(key="db.waiting_max", field="waiting_max", read=_size, expects=FROM_0),
    Setting(key="db.busy_timeout_seconds", field="busy_timeout_seconds", read=_seconds, expects=SECONDS),
    Setting(key="db.lock_timeout_seconds", field="lock_timeout_seconds", read=_seconds, expects=SECONDS),
    Setting(key="db.deadline_seconds", field="deadline_seconds", read=_seconds, expects=SECONDS),
    Setting(key="db.isolation", field="isolation", read=_isolation, expects=" | ".join(ISOLATION_LEVELS)),
    Setting(
        key="db.parameters", field="parameters", read=_parameters, expects="name=value …, with spaces between them"
    ),
    Setting(key="db.prepared_statements", field="prepared_statements", read=_switch, expects="on | off"),
    Setting(key="db.repeated_statement_warning", field="repeated_statement_warning", read=_size, expects=FROM_0),
    Setting(key="retry.attempts", field="retry_attempts", read=_count, expects=FROM_1),
    Setting(key="retry.backoff_seconds", field="retry_backoff_seconds", read=_pause, expects=PAUSE),
)

APPLICATION: Sequence[Setting] = (
    Setting(key="myapp.auth", field="auth", read=Auth, expects=" | ".join(Auth)),
    Setting(key="myapp.recording", field="recording", read=Recording, expects=" | ".join(Recording)),
    Setting(key="myapp.body_bytes_max", field="body_bytes_max", read=_count, expects="a number of bytes from 1"),
    Setting(key="myapp.idempotency_days", field="idempotency_days", read=_days, expects=DAYS),
    Setting(key="myapp.remember_seconds", field="remember_seconds", read=_pause, expects=PAUSE),
    Setting(key="myapp.followers_max", field="followers_max", read=_size, expects=FROM_0),
    Setting(key="myapp.webhook_timeout_seconds", field="webhook_timeout_seconds", read=_seconds, expects=SECONDS),
    Setting(key="myapp.webhook_backoff_seconds", field="webhook_backoff_seconds", read=_seconds, expects=SECONDS),
    Setting(key="myapp.webhook_disable_days", field="webhook_disable_days", read=_days, expects=DAYS),
    Setting(key="myapp.webhook_private_targets", field="webhook_private_targets", read=_switch, expects="on | off"),
)

SERVER: Sequence[Setting] = (
    Setting(key="shutdown_seconds", field="shutdown_seconds", read=_seconds, expects=SECONDS),
    Setting(key="drain_seconds", field="drain_seconds", read=_pause, expects=PAUSE),
    Setting(key="worker_listen", field="worker_listen", read=_address, expects="host:port"),
    Setting(key="one_core", field="one_core", read=_switch, expects="on | off"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    database: Database
    application: Application


def read(raw: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """Return all settings of the application.

    Raises:
        SettingsError: any key is missing, unknown or malformed; each is named.
    """
    problems: list[str] = []
    database = _database_values(raw, environ, problems)
    application = _values(APPLICATION, raw, problems)
    known = {setting.key for setting in (*DATABASE, *APPLICATION)}
    problems += _unknown(raw, known, foreign=FOREIGN_PREFIXES)
    if problems:
        raise SettingsError(problems)
    return Settings(database=Database(**database), application=Application(**application))  # type: ignore[arg-type]


def read_database(raw: Mapping[str, str], environ: Mapping[str, str]) -> Database:
    """Return the database settings alone, for an application that takes only `myapp.db`.

    Raises:
        SettingsError: as `read`, for the keys `sqlalchemy.*`, `db.*` and `retry.*`.
    """
    problems: list[str] = []
    values = _database_values(raw, environ, problems)
    ours = {key: value for key, value in raw.items() if key.startswith(("sqlalchemy.", "db.", "retry."))}
    problems += _unknown(ours, {setting.key for setting in DATABASE}, foreign=("retry.activate_hook",))
    if problems:
        raise SettingsError(problems)
    return Database(**values)  # type: ignore[arg-type]


def read_server(raw: Mapping[str, str]) -> Server:
    """Return what the section of the server says that is not waitress's.

    Raises:
        SettingsError: a value is malformed.
    """
    problems: list[str] = []
    values = _values(SERVER, raw, problems)
    if problems:
        raise SettingsError(problems)
    return Server(**values)  # type: ignore[arg-type]


def read_ini(path: str) -> Mapping[str, str]:
    """Return the `[app:main]` section of an ini file as the application would get it.

    Raises:
        SettingsError: the file is missing or not an ini file with that section.
    """
    file = Path(path).resolve()
    parser = configparser.ConfigParser(defaults={"here": str(file.parent), "__file__": str(file)})
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
        section = parser["app:main"]
        defaults = parser.defaults().keys()
        return {key: section[key] for key in section if key not in defaults and key != "use"}
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as exc:
        raise SettingsError([f"{path}: cannot be read as an ini file with a section [app:main] ({exc})"]) from exc


def _with_environment(raw: Mapping[str, str], environ: Mapping[str, str]) -> Mapping[str, str]:
    return {**raw, **{key: environ[variable] for variable, key in VARIABLES.items() if environ.get(variable)}}


def _database_values(raw: Mapping[str, str], environ: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    raw = _with_environment(raw, environ)
    values = _values(DATABASE, raw, problems)
    if values.get("replica_urls"):
        if _is_sqlite(str(values.get("url"))):
            problems.append(
                "sqlalchemy.replica_urls: only a PostgreSQL database has replicas; sqlalchemy.url is SQLite's"
            )
        if "db.token_secret" not in raw:
            problems.append("db.token_secret is missing; with replicas, set it or MYAPP_TOKEN_SECRET for every process")
    if values.get("second_url") and _is_sqlite(str(values.get("url"))):
        problems.append("sqlalchemy.second_url: needs PostgreSQL on both sides; sqlalchemy.url is SQLite's")
    return values


def _values(settings: Sequence[Setting], raw: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for setting in settings:
        if setting.key in raw:
            try:
                values[setting.field] = setting.read(str(raw[setting.key]))
            except ValueError:
                shown = "…" if setting.is_secret else repr(_without_password(str(raw[setting.key])))
                problems.append(f"{setting.key} = {shown}: expected {setting.expects}")
        elif setting.field == "url":
            problems.append(f"sqlalchemy.url is missing; set it in the ini file or set {URL_VARIABLE}")
    return values


def _without_password(text: str) -> str:
    return re.sub(r"(://[^\s:/@]*):\S*@", r"\1:…@", text)


def _unknown(raw: Mapping[str, str], known: set[str], *, foreign: tuple[str, ...]) -> list[str]:
    return [
        f"{key}: there is no such setting; the README lists all of them"
        for key in sorted(raw)
        if key not in known and not key.startswith(foreign)
    ]
