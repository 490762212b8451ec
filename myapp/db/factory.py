"""The one place where sessions are configured: requests, scripts, the shell, workers and tests all use this factory."""

from __future__ import annotations

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import sessionmaker

from myapp.db.session import UnitOfWorkSession

Sessions = sessionmaker[UnitOfWorkSession]


def build(bind: Engine | Connection, session_class: type[UnitOfWorkSession] = UnitOfWorkSession) -> Sessions:
    """Return the session factory of a process.

    `expire_on_commit` is off, since a session lives for one unit of work and nothing is left to refresh after it.
    Beginning is explicit and closing is final, so a session cannot come to life again after its end. Given a
    connection that has begun, each unit of work is a savepoint in it.
    """
    return sessionmaker(
        bind=bind,
        class_=session_class,
        autobegin=False,
        close_resets_only=False,
        expire_on_commit=False,
        join_transaction_mode="create_savepoint",
    )
