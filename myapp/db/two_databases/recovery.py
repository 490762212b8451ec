"""Find what a crash left prepared in the second database, and finish it as the first database decided.

May run at any time, beside any number of servers: who asks first decides, and everyone else follows.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import errors
from myapp.db.two_databases import decisions, prepared
from myapp.db.two_databases.decisions import Decision
from myapp.db.two_databases.prepared import Prepared
from myapp.db.unit import Unit

log = logging.getLogger(__name__)

# So that of several processes at once one makes the table, or clears it up.
TABLE_LOCK = int.from_bytes(b"second")

UNSEEN = (
    f"sqlalchemy.url: its role sees no table {decisions.TABLE_NAME}. No service has made one there yet, or it is in a "
    "schema that is not on the role's search_path: run this as the role of the service"
)

_MISSING = sa.text("SELECT to_regclass('second_database_decisions') IS NULL")
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(TABLE_LOCK))
_TRY_LOCK = sa.select(sa.func.pg_try_advisory_xact_lock(TABLE_LOCK))


class Outcome(enum.StrEnum):
    """What became of a prepared transaction."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    UNDECIDED = "left: the transaction that decides is still under way"
    FAILED = "left: the second database refused"
    FOREIGN = "left: another first database decides"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One prepared transaction, and what became of it."""

    transaction: Prepared
    outcome: Outcome


_OUTCOMES = {Decision.COMMIT: Outcome.COMMITTED, Decision.ROLLBACK: Outcome.ROLLED_BACK, None: Outcome.UNDECIDED}


def settle(first: Engine, second: Engine, name: str, *, dry_run: bool = False) -> Decision | None:
    """Finish a prepared transaction as the first database decided, which is returned; None where it has not yet."""
    decision = decisions.decide(first, name, dry_run=dry_run)
    if decision is not None and not dry_run:
        prepared.finish_on(second, name, decision)
    return decision


def recover(first: Engine, second: Engine, *, dry_run: bool = False) -> Iterator[Found]:
    """Settle every transaction that is prepared in the second database; a dry run only tells what would happen."""
    with first.connect() as connection:
        ours = f"myapp:{decisions.decider(connection)}:"
    with second.connect() as connection:
        waiting = prepared.list_prepared(connection)
    for transaction in waiting:
        outcome = Outcome.FOREIGN
        if transaction.name.startswith(ours):
            outcome = _settled(first, second, transaction.name, dry_run=dry_run)
        yield Found(transaction=transaction, outcome=outcome)


def _settled(first: Engine, second: Engine, name: str, *, dry_run: bool) -> Outcome:
    try:
        return _OUTCOMES[settle(first, second, name, dry_run=dry_run)]
    except errors.Unavailable as exc:
        # One that cannot be finished, for lack of permission say, is in nobody else's way.
        log.error("%s", exc)
        return Outcome.FAILED


def forget(first: Engine, second: Engine) -> int:
    """Delete the decisions about this second database that nothing waits for any more; return how many."""
    # What this transaction sees was decided before the second database is asked, and so had been prepared before.
    unit = Unit(isolation="REPEATABLE READ")
    with first.connect().execution_options(db_unit=unit) as deciding, second.connect() as connection:
        if not deciding.scalar(_TRY_LOCK):
            # Another one is at it.
            return 0
        waiting = [each.name for each in prepared.list_prepared(connection)]
        count = decisions.forget(deciding, decisions.identity(connection), waiting)
        deciding.commit()
    return count


def make_table(first: Engine) -> None:
    """Make the table of the decisions, for a service that will write them; recovery only reads what a service made.

    Raises:
        settings.SettingsError: it cannot be made; the message says what to do.
    """
    with _usable(first), first.begin() as connection:
        if connection.scalar(_MISSING):
            connection.execute(_LOCK)
            connection.exec_driver_sql(decisions.TABLE)


def require(first: Engine, second: Engine) -> int:
    """Make sure that the two databases can do their part; return how many transactions are prepared.

    Raises:
        settings.SettingsError: one of them cannot; the message says what to do.
    """
    with _usable(first), first.connect() as connection:
        if connection.scalar(_MISSING):
            raise settings.SettingsError([UNSEEN])
    with _usable(second), second.connect() as connection:
        if connection.exec_driver_sql("SHOW max_prepared_transactions").scalar_one() == "0":
            raise settings.SettingsError(
                ["sqlalchemy.second_url: the server has max_prepared_transactions = 0; set it to its max_connections"]
            )
        return len(prepared.list_prepared(connection))


@contextmanager
def _usable(engine: Engine) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as exc:
        url = engine.url.render_as_string(hide_password=True)
        raise settings.SettingsError([f"{url} cannot be used for two-phase commit: {exc.orig}"]) from exc
