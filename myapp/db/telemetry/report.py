"""What one unit of work did with its database: how much, and where its time went. Times are seconds.

    elsewhere   the application's own code
    pool        from asking for a connection until there is one: the wait in line, connecting, a ping
    database    inside statements and their BEGIN or ROLLBACK
    commit      COMMIT

At every moment a unit of work is in one of these phases, so they add up to all its time. `measuring` fills it in; a
request has one for each attempt, in its environ, and `reporting` tells the last attempt's.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from myapp.db.telemetry import trace

KEY = "db.report"
# pyramid_retry counts the attempts here; the first is 0.
ATTEMPT = "retry.attempt"

# A long unit of work may build any number of texts; those beyond are not told apart.
TEXTS_MAX = 1000


class Phase(enum.IntEnum):
    """What a unit of work spends its time on."""

    ELSEWHERE = 0
    POOL = 1
    DATABASE = 2
    COMMIT = 3


class Report:
    """The figures of one unit of work."""

    __slots__ = (
        "_phase",
        "_since",
        "_texts",
        "attempt",
        "began",
        "committed",
        "depth",
        "rows",
        "seconds",
        "statements",
        "trace_id",
    )

    def __init__(self, *, attempt: int = 1) -> None:
        self.attempt = attempt
        self.trace_id: str | None = None
        self.statements = 0
        self.rows = 0
        self.seconds = [0.0, 0.0, 0.0, 0.0]
        self.began = False
        self.committed = False
        # See Note [Whose statements] in measuring.
        self.depth = 0
        self._texts: dict[str, int] = {}
        self._phase: int = Phase.ELSEWHERE
        self._since = time.monotonic()

    @classmethod
    def like(cls, other: Report) -> Report:
        """Return one that is empty, for another unit of work of the same attempt and trace."""
        made = cls(attempt=other.attempt)
        made.trace_id = other.trace_id
        return made

    def enter(self, phase: Phase) -> None:
        """Be in another phase from now on."""
        now = time.monotonic()
        self.seconds[self._phase] += now - self._since
        self._phase = phase
        self._since = now

    def leave(self, phase: Phase) -> bool:
        """Be elsewhere from now on, and say whether the unit of work was in this phase."""
        was_there = self._phase == phase
        self.enter(Phase.ELSEWHERE)
        return was_there

    def note(self, text: str) -> None:
        """Count a statement."""
        self.statements += 1
        texts = self._texts
        if text in texts:
            texts[text] += 1
        elif len(texts) < TEXTS_MAX:
            texts[text] = 1

    def repeated(self, times: int) -> Mapping[str, int]:
        """Return the texts that were executed at least so many times, and how often each was."""
        return {text: count for text, count in self._texts.items() if count >= times}


def begin(environ: MutableMapping[str, Any]) -> Report:
    """Return the report of the attempt that begins."""
    # Not a request method: Pyramid makes those anew for each request, at a cost that this is to tell of, not to add to.
    environ[KEY] = report = Report(attempt=environ.get(ATTEMPT, 0) + 1)
    return report


def of_request(environ: Mapping[str, Any]) -> Report:
    """Return the report of the attempt, which does something now and so belongs to a trace, if there is one.

    A request that did not come through the server gets one that nobody reads.
    """
    report: Report = environ.get(KEY) or Report()
    report.trace_id = trace.trace_id(environ)
    return report
