"""What can go wrong between a request and its database, in two families, and what each error of a database means.

`DatabaseError` is what the database did: it is answered to the client. `SessionMisuse` is what the programmer did:
a RuntimeError that nobody catches, whose message says what to do instead.

The tables below are the one place that says what an error code means; `judging` adds what only the moment tells.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from myapp import errors


class DatabaseError(errors.MyappError):
    """The database refused, or was not there; `explanation` is what a client is told of it."""

    code = "unavailable"
    explanation = "The database did not answer in time, or could not be reached; nothing was changed."


class Conflict(DatabaseError):
    """Other units of work were in the way at every attempt; nothing was changed."""

    code = "conflict"
    explanation = "Other requests were changing the same data at every attempt; nothing was changed."


class Unavailable(DatabaseError):
    """No connection could be had in time, or it was lost before COMMIT; nothing was changed."""

    code = "unavailable"


class Overloaded(DatabaseError):
    """More requests came than can be served; this one was not begun."""

    code = "overloaded"
    explanation = "Every database connection was in use for as long as a request may wait."


class DeadlineExceeded(DatabaseError):
    """The time for the request was over before its COMMIT; nothing was changed."""

    code = "deadline-exceeded"
    explanation = "The time for this request is over; nothing was changed."


class ReadOnly(DatabaseError):
    """The database takes no writes now; reads go on."""

    code = "read-only"
    explanation = "The database takes no writes at present; reads go on."


class OutcomeUnknown(DatabaseError):
    """The connection was lost during COMMIT: the unit of work took effect whole, or not at all."""

    code = "outcome-unknown"
    explanation = "The connection to the database was lost during COMMIT."


class SessionMisuse(RuntimeError):
    """A session was used in a way that could lose or leak work."""


class SessionEnded(SessionMisuse):
    """The session's request or scope is over."""


class SessionThread(SessionMisuse):
    """The session belongs to another thread."""


class SessionOutsideTransaction(SessionMisuse):
    """`request.dbsession` was used where no transaction of the request is under way."""


class SessionOwned(SessionMisuse):
    """Code that does not own the session tried to end its unit of work."""


class SessionNested(SessionMisuse):
    """A unit of work was begun inside another one, which holds what it would wait for."""


class UnitOfWorkAborted(SessionMisuse):
    """An error that was swallowed had already undone the unit of work that was to be committed."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error of the database means: which of ours it is, why in a word, and whether a repeat may succeed."""

    error: type[DatabaseError]
    cause: str
    is_retryable: bool = False


LOST = Meaning(Unavailable, "connection-lost", is_retryable=True)
LATE = Meaning(DeadlineExceeded, "deadline")
CANCELLED = Meaning(Unavailable, "cancelled")
UNKNOWN = Meaning(OutcomeUnknown, "outcome-unknown")

# By SQLSTATE, else by its class, which is its first two characters.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
LOCK_NOT_AVAILABLE = "55P03"
POSTGRESQL: Mapping[str, Meaning] = {
    "40001": Meaning(Conflict, "serialization-failure", is_retryable=True),
    "40P01": Meaning(Conflict, "deadlock", is_retryable=True),
    "40003": UNKNOWN,
    "55P03": Meaning(Unavailable, "lock-timeout"),
    "57014": Meaning(DeadlineExceeded, "statement-timeout"),
    "25P04": Meaning(DeadlineExceeded, "transaction-timeout"),
    "25P03": Meaning(Unavailable, "idle-timeout"),
    "25006": Meaning(ReadOnly, "read-only"),
    "08007": UNKNOWN,
    "08": Meaning(Unavailable, "connection"),
    "53": Meaning(Unavailable, "out-of-resources"),
    "57": Meaning(Unavailable, "server-ended"),
    "58": Meaning(Unavailable, "input-output"),
    "XX001": Meaning(Unavailable, "damaged-file"),
    "XX002": Meaning(Unavailable, "damaged-file"),
}

# By primary result code: https://www.sqlite.org/rescode.html
SQLITE: Mapping[int, Meaning] = {
    sqlite3.SQLITE_BUSY: Meaning(Unavailable, "busy", is_retryable=True),
    sqlite3.SQLITE_LOCKED: Meaning(Unavailable, "busy", is_retryable=True),
    sqlite3.SQLITE_INTERRUPT: LATE,
    sqlite3.SQLITE_READONLY: Meaning(ReadOnly, "read-only"),
    sqlite3.SQLITE_NOMEM: Meaning(Unavailable, "out-of-resources"),
    sqlite3.SQLITE_FULL: Meaning(Unavailable, "out-of-resources"),
    sqlite3.SQLITE_IOERR: Meaning(Unavailable, "input-output"),
    sqlite3.SQLITE_CANTOPEN: Meaning(Unavailable, "input-output"),
    sqlite3.SQLITE_PROTOCOL: Meaning(Unavailable, "input-output"),
    sqlite3.SQLITE_CORRUPT: Meaning(Unavailable, "damaged-file"),
    sqlite3.SQLITE_NOTADB: Meaning(Unavailable, "damaged-file"),
}

# What a driver raises past SQLAlchemy, through a cursor of its own.
DRIVER_ERRORS = (psycopg.Error, sqlite3.Error)

# By class, where there is no code: what SQLAlchemy finds out itself, and what a driver says of a server that it does
# not reach.
CLASSES: Sequence[tuple[type[Exception], Meaning]] = (
    (Conflict, Meaning(Conflict, "conflict", is_retryable=True)),
    (orm_exc.StaleDataError, Meaning(Conflict, "stale-row", is_retryable=True)),
    (sa_exc.TimeoutError, Meaning(Overloaded, "pool-exhausted")),
    (sa_exc.OperationalError, Meaning(Unavailable, "connection")),
    (psycopg.OperationalError, Meaning(Unavailable, "connection")),
)


def note(exc: BaseException, found: Meaning | None) -> None:
    """Note on an error what it means, where more is known of it than its code; None is a fault of ours."""
    exc.db_meaning = found  # type: ignore[attr-defined]


def meaning(exc: BaseException) -> Meaning | None:
    """Return what an error means, as noted where it was raised or else by the tables; None for a fault of ours."""
    if hasattr(exc, "db_meaning"):
        noted: Meaning | None = exc.db_meaning
        return noted
    return look_up(exc)


def look_up(exc: BaseException) -> Meaning | None:
    """Return what the tables say of an error of SQLAlchemy or the driver."""
    state, code = sqlstate(exc), sqlite_code(exc)
    if state is not None:
        found = POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])
    elif code is not None:
        found = SQLITE.get(code)
    else:
        found = next((meaning for kind, meaning in CLASSES if isinstance(exc, kind)), None)
    if found is not None and found.error is ReadOnly and _driver_error(exc) is exc:
        # From the driver's own cursor, where nobody notes whether the unit of work was one that may write.
        return None
    return found


def sqlstate(exc: BaseException) -> str | None:
    """Return the SQLSTATE of the driver's error, if it has one."""
    return getattr(_driver_error(exc), "sqlstate", None)


def sqlite_code(exc: BaseException) -> int | None:
    """Return SQLite's primary result code of the driver's error, if it has one."""
    extended = getattr(_driver_error(exc), "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def _driver_error(exc: BaseException) -> BaseException:
    """Return the driver's error below one of SQLAlchemy's; one that is the driver's own is that."""
    return getattr(exc, "orig", None) or exc


def translate(exc: BaseException) -> DatabaseError | None:
    """Return what an error of SQLAlchemy or the driver means to a client; None where it is a fault of ours."""
    if isinstance(exc, DatabaseError):
        return exc
    found = meaning(exc)
    return None if found is None else found.error(found.error.explanation)
