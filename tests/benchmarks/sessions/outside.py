"""The world outside the application: other programs that write to its database, and whoever looks at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.benchmarks.sessions.strategies import APPLICATION_NAME, LOCK_SECONDS
from tests.benchmarks.sessions.tables import Account, Entry

IDLE = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name "
    "AND state LIKE 'idle in transaction%'"
)


@dataclass(frozen=True)
class Outside:
    """Connections of their own, which commit each statement; to the database, other clients."""

    engine: Engine

    def add(self, account: int) -> int | None:
        """Add one to a balance and return it; None where the application keeps everyone from writing."""
        statement = sa.update(Account).where(Account.id == account).values(balance=Account.balance + 1)
        try:
            with self.engine.connect() as connection:
                return connection.execute(statement.returning(Account.balance)).scalar_one()
        except sa.exc.OperationalError:
            return None

    def balance(self, account: int) -> int:
        with self.engine.connect() as connection:
            return connection.execute(sa.select(Account.balance).where(Account.id == account)).scalar_one()

    def legs(self) -> Counter[str]:
        """Return how many legs each transfer has that left a trace."""
        with self.engine.connect() as connection:
            return Counter(connection.scalars(sa.select(Entry.transfer)))

    def idle_in_transaction(self) -> int | None:
        """Return how many of the application's connections sit in a transaction and do nothing; None on SQLite."""
        if self.engine.dialect.name == "sqlite":
            return None
        with self.engine.connect() as connection:
            idle: int = connection.execute(IDLE, {"name": APPLICATION_NAME}).scalar_one()
            return idle


@contextmanager
def look_from(url: str) -> Iterator[Outside]:
    """Lend the outside of a database."""
    sqlite = sa.make_url(url).get_backend_name() == "sqlite"
    bounds = {"options": f"-c lock_timeout={round(LOCK_SECONDS * 1000)}"}
    engine = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", connect_args={"timeout": LOCK_SECONDS} if sqlite else bounds
    )
    try:
        yield Outside(engine)
    finally:
        engine.dispose()
