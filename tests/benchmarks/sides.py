"""The sides: the application, its peers, and what bounds them all. Each in one process, with eight connections.

A side says what its database is like (`ledger`), and how it is started on it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import pgbench
from tests.benchmarks.bare import Bare
from tests.benchmarks.cluster import Cluster, rows
from tests.benchmarks.ledgers import (
    PEERS,
    PEERS_PYTHON,
    PROGRAMS,
    ROOT,
    Hordak,
    Ledger,
    Orm,
    Ours,
    Pgledger,
    ours_environment,
    peers_environment,
)
from tests.benchmarks.load.order import Call
from tests.benchmarks.peers import books, statement
from tests.benchmarks.running import Running, Server
from tests.own_postgresql import free_port

OURS = "myapp"
CORES = len(os.sched_getaffinity(0))
# The paths of pgledger's SQL files in the order to run them, which are not ours to bring along, apart as in PATH.
PGLEDGER_VARIABLE = "MYAPP_BENCH_PGLEDGER"
# The core on which each peer is to stay, as the application does by itself; all cores, where it is not set.
PEERS_CORE_VARIABLE = "MYAPP_BENCH_PEERS_CORE"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a side is to run: the cluster, its own database, and a directory for what it writes."""

    cluster: Cluster
    url: str
    directory: Path


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of those that are compared."""

    name: str
    title: str
    ledger: Ledger
    start: Callable[[Setting], Running]
    # What it is asked for, where that is not what its bench asks all others for.
    calls: Callable[[], Sequence[Call]] | None = None
    # Turns these into requests that can only be made once it runs, by asking it.
    known: Callable[[Running, Sequence[Call]], Sequence[Call]] | None = None
    # Whether it can also be asked at a rate, and its requests are as large as those of the others that are.
    takes_rates: bool = True
    # Whether what it needs is there.
    is_here: Callable[[], bool] = lambda: True

    @property
    def database(self) -> str:
        return "bench_" + self.name.replace("-", "_")


def _served(
    setting: Setting, port: int, command: Sequence[str], environment: Mapping[str, str], **headers: str
) -> Server:
    log = setting.directory / f"{port}.log"
    server = Server(command=command, environment=environment, port=port, log=log, headers=headers)
    server.start()
    return server


def _peer(setting: Setting, port: int, command: Sequence[str], **more: str) -> Server:
    core = os.environ.get(PEERS_CORE_VARIABLE)
    kept = command if core is None else ["taskset", "--cpu-list", core, *command]
    return _served(setting, port, kept, peers_environment(setting.url) | more)


def _ours(setting: Setting) -> Running:
    return served_by(setting, lambda port: [str(PROGRAMS / "pserve"), "production.ini", f"http_port={port}"])


def _ours_in_processes(setting: Setting) -> Running:
    """As many processes as there are cores, behind one port."""
    command = [str(PROGRAMS / "myapp"), "serve", "--processes", str(CORES), "production.ini"]
    return served_by(setting, lambda port: [*command, f"http_port={port}"])


def served_by(setting: Setting, command: Callable[[int], Sequence[str]]) -> Server:
    """The application as docs and README have it run: production.ini, an API key, and everything on."""
    port = free_port()
    key = new_key(setting.url)
    return _served(setting, port, command(port), ours_environment(setting.url), Authorization=f"Bearer {key}")


def new_key(url: str) -> str:
    """Make an API key that may record, and return it."""
    creating = ["keys", "create", "--ledger", books.LEDGER, "--scope", "write", "--ini", "production.ini"]
    made = subprocess.run(
        [PROGRAMS / "myapp", *creating],
        cwd=ROOT,
        env=ours_environment(url),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return made.stdout.splitlines()[-1]


STARTER_INI = """
[app:main]
use = call:tests.benchmarks.peers.pyramid_starter:main
sqlalchemy.url = {url}
retry.attempts = 3
bench.form = {form}

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
threads = {threads}
"""


def _starter(form: str) -> Callable[[Setting], Running]:
    def start(setting: Setting) -> Running:
        port = free_port()
        ini = setting.directory / f"{port}.ini"
        text = STARTER_INI.format(url=setting.url, form=form, port=port, threads=books.POOL_SIZE)
        ini.write_text(text, encoding="utf-8")
        return _peer(setting, port, [str(PROGRAMS / "pserve"), str(ini)])

    return start


def _uvicorn(module: str) -> Callable[[Setting], Running]:
    def start(setting: Setting) -> Running:
        port = free_port()
        command = [str(PEERS_PYTHON), "-m", "uvicorn", f"{PEERS}.{module}:app", "--port", str(port), "--no-access-log"]
        return _peer(setting, port, command)

    return start


def _gunicorn(application: str, **more: str) -> Callable[[Setting], Running]:
    def start(setting: Setting) -> Running:
        port = free_port()
        threads = ["--worker-class", "gthread", "--threads", str(books.POOL_SIZE)]
        command = [str(PEERS_PYTHON), "-m", "gunicorn", *threads, "--bind", f"127.0.0.1:{port}"]
        return _peer(setting, port, [*command, f"{PEERS}.{application}"], **more)

    return start


def _bare_statement(choice: str, clients: int = books.POOL_SIZE) -> Callable[[Setting], Running]:
    def start(setting: Setting) -> Running:
        ((ledger_id,),) = rows(setting.url, statement.LEDGER_ID)
        script = pgbench.bare_statement(ledger_id, choice)
        return pgbench.Script(setting.cluster.programs / "pgbench", setting.url, script, clients)

    return start


def _bare_loop(setting: Setting) -> Running:
    return Bare(setting.url)


def _pgledger(setting: Setting) -> Running:
    return pgbench.Script(setting.cluster.programs / "pgbench", setting.url, pgbench.PGLEDGER)


def _peers_are_here() -> bool:
    return PEERS_PYTHON.exists()


STARTER_MODELS = Orm(f"{PEERS}.models", Path(sys.executable))
# The statement does not write the words by which the application finds a transaction.
BY_STATEMENT = Ours(unchecked=frozenset({"terms-agree"}))
DJANGO = "django_project.wsgi:application"

APPLICATION = Side(name=OURS, title="this application, all of it", ledger=Ours(), start=_ours)
IN_PROCESSES = Side(
    name="myapp-processes",
    title=f"this application, in {CORES} processes",
    ledger=Ours(),
    start=_ours_in_processes,
    is_here=lambda: importlib.util.find_spec("myapp.scripts.serve") is not None,
)
PGBENCH = Side(
    name="pgbench-statement",
    title="pgbench, our statement",
    ledger=BY_STATEMENT,
    start=_bare_statement(pgbench.UNIFORM),
)
PGBENCH_FOR_CORES = Side(
    name="pgbench-statement",
    title="pgbench, our statement",
    ledger=BY_STATEMENT,
    start=_bare_statement(pgbench.UNIFORM, books.POOL_SIZE * CORES),
)
PGBENCH_HOT = Side(
    name="pgbench-hot",
    title="pgbench, our statement, one account in each",
    ledger=BY_STATEMENT,
    start=_bare_statement(pgbench.HOT),
)
# Of batches, which pgbench cannot send.
BARE = Side(
    name="bare-statement",
    title="our statement in a bare loop",
    ledger=Ours(),
    start=_bare_loop,
    takes_rates=False,
)

ALL: Sequence[Side] = (
    APPLICATION,
    Side(name="starter-orm", title="Pyramid starter, ORM", ledger=STARTER_MODELS, start=_starter("orm")),
    Side(
        name="fastapi-orm",
        title="FastAPI, async SQLAlchemy ORM",
        ledger=Orm(f"{PEERS}.models"),
        start=_uvicorn("fastapi_orm"),
        is_here=_peers_are_here,
    ),
    Side(
        name="flask-orm",
        title="Flask-SQLAlchemy, ORM",
        ledger=Orm(f"{PEERS}.models"),
        start=_gunicorn("flask_orm:app"),
        is_here=_peers_are_here,
    ),
    Side(
        name="django-hordak",
        title="Django, hordak",
        ledger=Hordak(),
        start=_gunicorn(DJANGO),
        is_here=_peers_are_here,
    ),
    Side(
        name="starter-statement",
        title="Pyramid starter, our statement",
        ledger=BY_STATEMENT,
        start=_starter("statement"),
    ),
    Side(
        name="fastapi-statement",
        title="FastAPI, our statement",
        ledger=BY_STATEMENT,
        start=_uvicorn("fastapi_statement"),
        is_here=_peers_are_here,
    ),
    Side(
        name="flask-statement",
        title="Flask-SQLAlchemy, our statement",
        ledger=BY_STATEMENT,
        start=_gunicorn("flask_statement:app"),
        is_here=_peers_are_here,
    ),
    Side(
        name="django-statement",
        title="Django, our statement",
        ledger=BY_STATEMENT,
        start=_gunicorn(DJANGO, BENCH_BY_STATEMENT="yes"),
        is_here=_peers_are_here,
    ),
    PGBENCH,
    Side(
        name="pgbench-pgledger",
        title="pgbench, pgledger's function",
        ledger=Pgledger([Path(file) for file in os.environ.get(PGLEDGER_VARIABLE, "").split(os.pathsep)]),
        start=_pgledger,
        is_here=lambda: PGLEDGER_VARIABLE in os.environ,
    ),
)


def named(*names: str) -> Sequence[Side]:
    """Return the sides of these names, in their order."""
    by_name = {side.name: side for side in ALL}
    return [by_name[name] for name in names]
