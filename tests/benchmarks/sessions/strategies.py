"""The ways to come by a session that are compared, each set up as its users do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.threadlocal import get_current_request
from sqlalchemy import orm
from sqlalchemy.engine import Engine

from tests.benchmarks.sessions import views

APPLICATION_NAME = "bench sessions"
POOL_SIZE = 8
THREADS = 4
# Shorter than anyone's, so that a strategy whose threads wait for each other in vain is found out soon.
POOL_SECONDS = 1.0
LOCK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What varies between the runs of one strategy."""

    url: str
    expire_on_commit: bool
    isolation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What a strategy put into the application; `leave` ends what a thread still holds."""

    engine: Engine
    leave: Callable[[], object] = field(default=lambda: None)


Install = Callable[[Configurator, Setup], Installed]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to come by a session, and the number of threads that serve requests with it."""

    name: str
    title: str
    threads: int = THREADS
    install: Install


def one_for_the_process(config: Configurator, setup: Setup, *, rolls_back: bool) -> Installed:
    engine = build_engine(setup)
    session = orm.Session(engine, expire_on_commit=setup.expire_on_commit)
    views.add(config, views.CommittedInView(lambda: session), *([session.rollback] if rolls_back else []))
    return Installed(engine=engine, leave=session.close)


def one_per_thread(config: Configurator, setup: Setup, *, rolls_back: bool, removes: bool) -> Installed:
    engine = build_engine(setup)
    session = orm.scoped_session(_sessions(engine, setup))
    views.add(config, views.CommittedInView(session), *([session.rollback] if rolls_back else []))
    if removes:
        _remove_at_the_end(config, session)
    return Installed(engine=engine, leave=session.remove)


def scope_function(config: Configurator, setup: Setup) -> Installed:
    engine = build_engine(setup)
    session = orm.scoped_session(_sessions(engine, setup), scopefunc=lambda: id(get_current_request()))
    views.add(config, views.CommittedInView(session))
    _remove_at_the_end(config, session)
    return Installed(engine=engine)


def one_per_call(config: Configurator, setup: Setup) -> Installed:
    engine = build_engine(setup)
    views.add(config, views.OnePerCall(_sessions(engine, setup)))
    return Installed(engine=engine)


def one_per_request(config: Configurator, setup: Setup) -> Installed:
    config.add_settings(_settings(setup))
    config.include("myapp.db")
    config.registry["db.sessions"].configure(expire_on_commit=setup.expire_on_commit)
    views.add(config, views.OnePerRequest())
    return Installed(engine=config.registry["db.engine"])


def build_engine(setup: Setup) -> Engine:
    """Return an engine as SQLAlchemy makes it, with bounds on waiting so that the experiment ends."""
    sqlite = sa.make_url(setup.url).get_backend_name() == "sqlite"
    bounds: dict[str, object] = {
        "application_name": APPLICATION_NAME,
        "options": f"-c lock_timeout={round(LOCK_SECONDS * 1000)}",
    }
    return sa.create_engine(
        setup.url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        connect_args={"timeout": LOCK_SECONDS} if sqlite else bounds,
        **({"isolation_level": setup.isolation} if setup.isolation else {}),
    )


def _sessions(engine: Engine, setup: Setup) -> orm.sessionmaker[orm.Session]:
    return orm.sessionmaker(engine, expire_on_commit=setup.expire_on_commit)


def _remove_at_the_end(config: Configurator, session: orm.scoped_session[orm.Session]) -> None:
    def new_request(event: NewRequest) -> None:
        event.request.add_finished_callback(lambda _request: session.remove())

    config.add_subscriber(new_request, NewRequest)


def _settings(setup: Setup) -> dict[str, str]:
    chosen = {
        "sqlalchemy.url": setup.url,
        "db.application_name": APPLICATION_NAME,
        "db.pool_size": str(POOL_SIZE),
        "db.pool_timeout_seconds": str(POOL_SECONDS),
        "db.busy_timeout_seconds": str(LOCK_SECONDS),
        "db.lock_timeout_seconds": str(LOCK_SECONDS),
    }
    return chosen | ({"db.isolation": setup.isolation} if setup.isolation else {})


PROCESS = Strategy(
    name="process",
    title="one for the process, one thread, rollback forgotten",
    threads=1,
    install=partial(one_for_the_process, rolls_back=False),
)
PROCESS_ROLLBACK = Strategy(
    name="process-rollback",
    title="one for the process, one thread, rollback on error",
    threads=1,
    install=partial(one_for_the_process, rolls_back=True),
)
PROCESS_THREADS = Strategy(
    name="process-threads",
    title="one for the process, four threads, rollback on error",
    install=partial(one_for_the_process, rolls_back=True),
)
THREAD = Strategy(
    name="thread",
    title="one per thread, never removed, rollback forgotten",
    install=partial(one_per_thread, rolls_back=False, removes=False),
)
THREAD_ROLLBACK = Strategy(
    name="thread-rollback",
    title="one per thread, never removed, rollback on error",
    install=partial(one_per_thread, rolls_back=True, removes=False),
)
THREAD_REMOVED = Strategy(
    name="thread-removed",
    title="one per thread, removed after each request",
    install=partial(one_per_thread, rolls_back=False, removes=True),
)
SCOPE_FUNCTION = Strategy(
    name="scope-function",
    title="a scope function, removed after each request",
    install=scope_function,
)
CALL = Strategy(name="call", title="one per call", install=one_per_call)
REQUEST = Strategy(name="request", title="one per request, joined (this project)", install=one_per_request)

ALL = (
    PROCESS,
    PROCESS_ROLLBACK,
    PROCESS_THREADS,
    THREAD,
    THREAD_ROLLBACK,
    THREAD_REMOVED,
    SCOPE_FUNCTION,
    CALL,
    REQUEST,
)
