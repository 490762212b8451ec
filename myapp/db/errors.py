"""What can go wrong between a request and its database, in two families.

`DatabaseError` is what the database did: it is answered to the client. `SessionMisuse` is what the programmer did:
a RuntimeError that nobody catches, whose message says what to do instead.
"""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from myapp import errors

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
SERIALIZATION_FAILURE = "40001"
STATEMENT_COMPLETION_UNKNOWN = "40003"
DEADLOCK_DETECTED = "40P01"
LOCK_NOT_AVAILABLE = "55P03"
UNAVAILABLE_CLASSES = ("08", "53", "57", "58")

# Result codes: https://www.sqlite.org/rescode.html
SQLITE_BUSY = 5
SQLITE_LOCKED = 6


class DatabaseError(errors.MyappError):
    """The database refused, or was not there."""

    code = "unavailable"


class Conflict(DatabaseError):
    """Other units of work were in the way at every attempt; nothing was changed."""

    code = "conflict"


class Unavailable(DatabaseError):
    """No connection could be had in time, or it was lost before COMMIT; nothing was changed."""

    code = "unavailable"


class Overloaded(DatabaseError):
    """More requests came than can be served; this one was not begun."""

    code = "overloaded"


class DeadlineExceeded(DatabaseError):
    """The time for the request was over before its COMMIT; nothing was changed."""

    code = "deadline-exceeded"


class ReadOnly(DatabaseError):
    """The database takes no writes now; reads go on."""

    code = "read-only"


class OutcomeUnknown(DatabaseError):
    """The connection was lost during COMMIT: the unit of work took effect whole, or not at all."""

    code = "outcome-unknown"


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


class UnitOfWorkAborted(SessionMisuse):
    """An error that was swallowed had already undone the unit of work that was to be committed."""


def sqlstate(exc: BaseException) -> str | None:
    """Return the SQLSTATE of the driver's error, if it has one."""
    return getattr(getattr(exc, "orig", None), "sqlstate", None)


def sqlite_code(exc: BaseException) -> int | None:
    """Return SQLite's primary result code of the driver's error, if it has one."""
    extended = getattr(getattr(exc, "orig", None), "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def is_conflict(exc: BaseException) -> bool:
    """Say whether another unit of work was in the way, so that the same request may succeed when repeated."""
    return sqlstate(exc) in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)


def is_busy(exc: BaseException) -> bool:
    """Say whether SQLite's one writer was another one for the whole time-out."""
    return sqlite_code(exc) in (SQLITE_BUSY, SQLITE_LOCKED)


def translate(exc: BaseException) -> DatabaseError | None:
    """Return what an error of SQLAlchemy or the driver means to a client; None where it is a fault of ours."""
    if isinstance(exc, DatabaseError):
        return exc
    if isinstance(exc, sa_exc.TimeoutError):
        return Overloaded("Every database connection was in use for as long as a request may wait.")
    if not isinstance(exc, sa_exc.DBAPIError):
        return None
    if getattr(exc, "outcome_unknown", False):
        return OutcomeUnknown("The connection to the database was lost during COMMIT.")
    if is_conflict(exc):
        return Conflict("Other requests were changing the same data at every attempt; nothing was changed.")
    if _is_unavailable(exc):
        return Unavailable("The database did not answer in time, or could not be reached; nothing was changed.")
    return None


def _is_unavailable(exc: sa_exc.DBAPIError) -> bool:
    if exc.connection_invalidated or is_busy(exc):
        return True
    state = sqlstate(exc)
    if state is None:
        return isinstance(exc, sa_exc.OperationalError)
    return state == LOCK_NOT_AVAILABLE or state.startswith(UNAVAILABLE_CLASSES)
