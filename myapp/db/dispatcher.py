"""Work off what must not be lost: rows that a unit of work wrote for later, in the same commit as what they are about.

    def send_next(session):
        oldest = select(Outbox).order_by(Outbox.id).limit(100).with_for_update(skip_locked=True)
        rows = session.scalars(oldest).all()
        for row in rows:
            send(row)
            session.delete(row)
        return bool(rows)

    outbox = Dispatcher(sessions, send_next, name="outbox")
    outbox.start()

    request.dbsession.add(Outbox(…))
    request.after_commit(outbox.wake)

Each batch is one unit of work. One that fails, or whose process is killed, is undone and comes again: what was sent by
then is sent again, so whoever receives it must know it by its id.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from myapp.db import scope
from myapp.db.factory import Sessions
from myapp.db.session import UnitOfWorkSession

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5
PAUSE_SECONDS_MAX = 60.0

HandleNext = Callable[[UnitOfWorkSession], bool]


class Dispatcher:
    """A thread that hands one batch after the other to `handle_next`, which says whether there may be more.

    It looks when it is woken, else every `interval_seconds`. Every process that serves may have one.
    """

    def __init__(
        self,
        sessions: Sessions,
        handle_next: HandleNext,
        *,
        name: str,
        interval_seconds: float = 5.0,
        batch_seconds: float = 60.0,
    ) -> None:
        self._sessions = sessions
        self._handle_next = handle_next
        self._owner = f"the dispatcher {name}"
        self._interval_seconds = interval_seconds
        self._batch_seconds = batch_seconds
        self._awake = threading.Event()
        self._stopping = threading.Event()
        # A killed process leaves no more behind than one that ends without a word.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, once, and with what an earlier process left."""
        self._thread.start()

    def wake(self) -> None:
        """Have it look now, from any thread; a callback for `request.after_commit`."""
        self._awake.set()

    def stop(self, timeout_seconds: float) -> bool:
        """End it after the batch under way; say whether that was in time."""
        self._stopping.set()
        self._awake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while True:
            # Before looking, so that whoever wakes it meanwhile is not missed; and before asking whether to end.
            self._awake.clear()
            if self._stopping.is_set():
                return
            try:
                may_be_more = self._handle()
            # The thread goes on whatever a batch did, exit included: nobody would start it again.
            except (Exception, SystemExit):
                failures += 1
                seconds = _pause_seconds(failures)
                log.exception("%s failed %d time(s) in a row; again in %.1f s.", self._owner, failures, seconds)
                # Being woken does not shorten this.
                self._stopping.wait(seconds)
            else:
                failures = 0
                if not may_be_more:
                    self._awake.wait(self._interval_seconds)

    def _handle(self) -> bool:
        with scope.session_scope(self._sessions, owner=self._owner, timeout_seconds=self._batch_seconds) as session:
            return self._handle_next(session)


def _pause_seconds(failures: int) -> float:
    """Return longer pauses after more failures, at other moments in each process."""
    longest = min(PAUSE_SECONDS * 2 ** min(failures, 10), PAUSE_SECONDS_MAX)
    return random.uniform(longest / 2, longest)  # noqa: S311
