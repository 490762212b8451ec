"""What the parts of the session layer know of one unit of work.

It is made where the work begins (the request, a scope) and travels with the session's connection as the execution
option `db_unit`, so that whoever begins a transaction, runs a statement or judges an error can look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from myapp.db.limits.deadline import Deadline
from myapp.db.telemetry.report import Report

OPTION = "db_unit"
# The execution option of a statement that need not see the same moment as others of its unit of work. One that only
# reads then costs one round trip where the database is another process, if it is the first.
ALONE = "db_alone"
# The execution option of a SELECT of very many rows: where the database is another process, it makes the next ones
# while those before are used. Meanwhile its connection runs no other statement; one that is left before the last row is
# cancelled, and its unit of work can only be rolled back. `ALONE` beside it says nothing.
AHEAD = "db_ahead"


@dataclass(slots=True, kw_only=True)
class Unit:
    """One unit of work: what it may do and for how long; None leaves a choice to the settings.

    With replicas, `position` is where in the primary's log the data must be that a read sees, and after a commit where
    that commit is; `begin_seconds` is how long a replica may take to answer BEGIN. `may_commit` is True for a session
    only while its owner ends it.
    """

    readonly: bool = False
    isolation: str | None = None
    deadline: Deadline | None = None
    report: Report = field(default_factory=Report)
    primary: bool = False
    position: int | None = None
    begin_seconds: float = math.inf
    may_commit: bool = True


# What runs on a connection without a session: migrations, the check at start.
_UNDECLARED = Unit()


def of(connection: Connection) -> Unit:
    """Return the unit of work that the connection serves."""
    return find(connection) or _UNDECLARED


def find(connection: Connection) -> Unit | None:
    """Return the unit of work that the connection serves, None where nobody declared one."""
    found: Unit | None = connection.get_execution_options().get(OPTION)
    return found
