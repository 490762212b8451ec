"""Answer who follows the events: at once where there are some, else when there is one, or when the time is over.

Who waits holds a thread of the server and nothing else: no connection, no transaction, no place in a line. So only some
may, and whoever is one too many is answered at once. See docs/decisions/0022-events.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyramid.response import Response
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session

from myapp.api import respond
from myapp.api.events import answers
from myapp.api.events.schemas import EventPage, EventsQuery
from myapp.api.request import Request, Units
from myapp.db import errors as db_errors
from myapp.ledger import operations, queries
from myapp.ledger.model import EventType

# How often who waits looks.
LOOK_SECONDS = 0.2
# A threading.Event that the server puts into each environ (see myapp.server); other servers need not.
LEAVING = "myapp.leaving"
# What is left for the answer of a request whose time is nearly over.
ANSWER_SECONDS = 1.0


class Followers:
    """How many may wait at once in this process."""

    def __init__(self, count: int) -> None:
        self._seats = threading.BoundedSemaphore(count) if count else None

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Say whether one may wait while the block lasts."""
        is_seated = self._seats is not None and self._seats.acquire(blocking=False)
        try:
            yield is_seated
        finally:
            if self._seats is not None and is_seated:
                self._seats.release()


class Follower:
    """One request for the events."""

    def __init__(self, request: Request[None, EventsQuery]) -> None:
        self._request = request
        self._types = [EventType(each) for each in (request.asked.types or "").split(",") if each]
        self._after = request.asked.after
        self._may_number = True
        self._has_unnumbered = False

    def look(self, session: Session, *, is_last: bool, as_numbered: bool = False) -> Response | None:
        """Return the answer, None where it is not there yet, or some events must be numbered first."""
        if self._may_number and not as_numbered and queries.has_unnumbered_events(session, self._request.ledger):
            self._has_unnumbered = True
            return None
        limit = self._request.asked.limit
        page = queries.list_events(session, self._request.ledger, after=self._after, limit=limit, types=self._types)
        self._after = page.until
        is_worth_it = page.events or page.may_be_more or is_last
        return self._respond_with(session, page) if is_worth_it else None

    def answer(self, units: Units) -> Response:
        """Look again and again, for as long as is wanted, allowed and possible."""
        followers: Followers = self._request.registry["myapp.followers"]
        with followers.seat() as is_seated:
            until = time.monotonic() + (self._wait_seconds() if is_seated else 0)
            while (answer := self._look_again(units, is_last=time.monotonic() >= until)) is None:
                if self._is_ending_after(min(LOOK_SECONDS, max(until - time.monotonic(), 0))):
                    until = 0
        return answer

    def _look_again(self, units: Units, *, is_last: bool) -> Response | None:
        if not self._has_unnumbered:
            with units.begin(readonly=True, isolation=operations.NUMBERING_ISOLATION) as session:
                answer = self.look(session, is_last=is_last)
            if not self._has_unnumbered:
                return answer
        self._number(units)
        self._has_unnumbered = False
        with units.begin(readonly=True, isolation=operations.NUMBERING_ISOLATION) as session:
            return self.look(session, is_last=is_last, as_numbered=True)

    def _number(self, units: Units) -> None:
        try:
            with units.begin(readonly=False, isolation=operations.NUMBERING_ISOLATION) as session:
                operations.number_events(session, self._request.ledger.id)
        except (db_errors.DatabaseError, sa_exc.SQLAlchemyError) as exc:
            if not isinstance(db_errors.translate(exc), db_errors.ReadOnly):
                raise
            # Reads go on: what has a number is there, and the rest gets one when there are writes again.
            self._may_number = False

    def _respond_with(self, session: Session, page: queries.EventPage) -> Response:
        request = self._request
        items = answers.events(session, request.ledger, page.events, request.registry["myapp.exponents"])
        body = respond.encode(EventPage(items=items, next=page.until))
        return respond.answer(body, headers=[respond.next_link(request, str(page.until))])

    def _wait_seconds(self) -> float:
        left = self._request.db_deadline.remaining()
        return min(self._request.asked.wait, left - ANSWER_SECONDS)

    def _is_ending_after(self, seconds: float) -> bool:
        """Pause, and say whether this process is about to end, which also ends the pause."""
        leaving: threading.Event | None = self._request.environ.get(LEAVING)
        if leaving is None:
            time.sleep(seconds)
            return False
        return leaving.wait(seconds)
