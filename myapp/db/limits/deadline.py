"""One time budget for a request: waiting for a connection, waiting for locks and running statements all draw on it.

It begins when the request arrives and goes on through its repeats. The setting `db.deadline_seconds` gives it, a view's
`db={"timeout": seconds}` gives another, and the client's header `Request-Timeout` may shorten either.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.request import Request

from myapp.db import errors

HEADER = "Request-Timeout"
# As WSGI spells it.
WISH = "HTTP_REQUEST_TIMEOUT"
ARRIVED = "db.arrived"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    def remaining(self) -> float:
        """Return the seconds that are left, 0 or less when there are none."""
        return self.at - time.monotonic()

    def require(self) -> None:
        """Go on only while there is time.

        Raises:
            DeadlineExceeded: there is none left.
        """
        if self.remaining() <= 0:
            raise errors.DeadlineExceeded("The time for this request is over; nothing was changed.")


def after(seconds: float) -> Deadline:
    """Return the deadline this many seconds from now."""
    return Deadline(time.monotonic() + seconds)


def arrive(request: Request) -> None:
    """Note when the request came in, once for all its attempts."""
    request.environ.setdefault(ARRIVED, time.monotonic())


def of_request(request: Request, seconds: float) -> Deadline:
    """Return the deadline of a request that may take this many seconds, or less if its client says so.

    Raises:
        HTTPBadRequest: the client's header is no number of seconds above 0.
    """
    wish = request.environ.get(WISH)
    if wish is not None:
        seconds = min(seconds, _seconds(wish))
    arrive(request)
    return Deadline(request.environ[ARRIVED] + seconds)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # Written so that "nan" is refused as well.
    if not seconds > 0:
        raise HTTPBadRequest(f"The header {HEADER} is not a number of seconds above 0, such as 2.5.")
    return seconds
