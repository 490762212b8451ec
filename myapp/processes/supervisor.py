"""Start workers and keep them: one in each place, until the end.

    SIGHUP            → place by place: a new worker, and once it is ready the old one retires. One that does not
                        become ready is the end of the reload; the old ones go on
    SIGTERM or SIGINT → all end in an orderly way, within their settings' bounds; a second signal ends all at once

Times are in seconds. What a worker is, the supervisor does not know: it is given a function that starts one.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence

from myapp import errors
from myapp.processes import signals, systemd
from myapp.processes.worker import Worker

log = logging.getLogger(__name__)

# One that dies sooner after it was ready is likely to do so again.
STEADY_SECONDS = 10
PAUSE_SECONDS = 0.5
PAUSE_SECONDS_MAX = 30.0
# How often to look whether something is overdue.
TURN_SECONDS = 1.0


class NotStarted(errors.MyappError):
    """The first workers did not become ready."""


class CannotReload(errors.MyappError):
    """The settings are not fit to start a worker with."""


class Supervisor:
    """The workers, and what is to be done with them."""

    def __init__(
        self,
        start: Callable[[int], Worker],
        count: int,
        *,
        check: Callable[[], None],
        close_doors: Callable[[], None],
        say: Callable[..., None],
    ) -> None:
        """Take how to start a worker in a place, to check the settings before, to close the doors, and to tell others.

        `check` raises CannotReload.
        """
        self._start_worker = start
        self._check = check
        self._close_doors = close_doors
        self._say = say
        self._places = range(count)
        self._workers: list[Worker] = []
        # By place: how often a worker died early in a row, and when to start the next.
        self._failures = dict.fromkeys(self._places, 0)
        self._start_at = dict.fromkeys(self._places, 0.0)
        self._was_up = False
        self._is_reloading = False
        self._to_reload: list[int] = []
        self._stopped_by: signal.Signals | None = None
        self._killed_by: signal.Signals | None = None
        self._refusal: str | None = None
        self._is_orderly = True

    def run(self, inbox: signals.Inbox) -> int:
        """Work until a signal ends it, and return the exit code: 0 if every worker ended in an orderly way, else 1.

        After a second signal all were killed, and the code is minus its number.

        Raises:
            NotStarted: a worker ended, or took too long, before all had been ready once; none is left.
        """
        while not self._is_over():
            self._act()
            for number in inbox.wait(self._starting(), seconds=self._patience()):
                self._heed(number)
            for worker in [*self._workers]:
                self._look(worker)
        if self._refusal:
            raise NotStarted(self._refusal)
        if self._killed_by:
            return -self._killed_by
        log.info("Stopped")
        return 0 if self._is_orderly else 1

    def _is_over(self) -> bool:
        return not self._workers and (self._stopped_by is not None or self._refusal is not None)

    def _is_ending(self) -> bool:
        return self._stopped_by is not None or self._refusal is not None

    def _starting(self) -> Sequence[Worker]:
        return [each for each in self._workers if not each.is_ready and not each.is_leaving]

    def _patience(self) -> float:
        """Return how long nothing may be to do unless something happens."""
        if self._is_ending():
            return TURN_SECONDS
        empty = [self._start_at[place] for place in self._places if not self._holders(place)]
        return max(0.0, min([TURN_SECONDS, *(at - time.monotonic() for at in empty)]))

    def _holders(self, place: int) -> Sequence[Worker]:
        """Return who serves in a place or is about to, the older first."""
        return [each for each in self._workers if each.number == place and not each.is_leaving]

    def _heed(self, number: signal.Signals) -> None:
        if number in signals.STOP:
            if self._stopped_by is None:
                self._stopped_by = number
                self._end("Stopping")
            else:
                self._killed_by = number
                log.warning("Stopping at once")
                for worker in self._workers:
                    worker.kill()
        elif number == signals.RELOAD and not self._is_ending():
            self._begin_reload()

    def _end(self, why: str) -> None:
        log.info("%s", why)
        self._say("STOPPING=1")
        self._close_doors()
        for worker in self._workers:
            worker.end()

    def _begin_reload(self) -> None:
        self._is_reloading = True
        self._say(*systemd.reloading())
        log.info("Reloading")
        try:
            self._check()
        except CannotReload as exc:
            self._fail_reload(str(exc))
            return
        self._to_reload = [place for place in self._places if self._holders(place)]
        # What made workers die may be mended.
        self._start_at = dict.fromkeys(self._places, 0.0)

    def _fail_reload(self, why: str) -> None:
        log.error("The reload failed, the workers that there are go on. %s", why)
        self._to_reload = []
        self._is_reloading = False
        self._say("READY=1", f"STATUS=The last reload failed: {why}")

    def _act(self) -> None:
        """Start who is missing, and let a reload take its next step."""
        if self._is_ending():
            return
        for place in self._places:
            if not self._holders(place) and time.monotonic() >= self._start_at[place]:
                self._start(place)
            if not self._was_up and not any(each.is_ready for each in self._workers):
                # What keeps the first from its start would keep the others too, and be said as often.
                break
        if self._starting() or any(each.is_leaving for each in self._workers):
            return
        if not self._was_up:
            self._was_up = True
            log.info("%d workers are ready", len(self._workers))
            self._say("READY=1")
        if self._to_reload:
            self._start(self._to_reload.pop(0))
        elif self._is_reloading:
            self._is_reloading = False
            log.info("Reloaded")
            self._say("READY=1", "STATUS=")

    def _start(self, place: int) -> None:
        worker = self._start_worker(place)
        self._workers.append(worker)
        log.info("Worker %d is process %d", place, worker.pid)

    def _look(self, worker: Worker) -> None:
        was_ready = worker.is_ready
        code = worker.look()
        if worker.is_ready and not was_ready:
            for older in self._holders(worker.number)[:-1]:
                older.retire()
        if code is not None:
            self._workers.remove(worker)
            self._bury(worker, code)

    def _bury(self, worker: Worker, code: int) -> None:
        why = f"Worker {worker.number}, process {worker.pid}, {_ending(code)}"
        if worker.is_leaving:
            # One that does not serve yet has nothing to finish.
            is_orderly = code == 0 or (not worker.is_ready and code == -signal.SIGTERM)
            log.log(logging.INFO if is_orderly else logging.WARNING, "%s", why)
            self._is_orderly &= is_orderly or not self._is_ending()
        elif not worker.is_ready and not self._was_up:
            self._refusal = f"{why} before it was ready."
            self._end("Not started")
        elif not worker.is_ready and self._holders(worker.number):
            self._fail_reload(f"{why} before it was ready.")
        else:
            self._replace(worker, why)

    def _replace(self, worker: Worker, why: str) -> None:
        was_steady = worker.is_ready and time.monotonic() - worker.ready_at >= STEADY_SECONDS
        failures = 0 if was_steady else self._failures[worker.number] + 1
        pause = min(PAUSE_SECONDS * 2 ** (failures - 1), PAUSE_SECONDS_MAX) if failures else 0.0
        log.error("%s; another is started in %g s", why, pause)
        self._failures[worker.number] = failures
        self._start_at[worker.number] = time.monotonic() + pause


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
