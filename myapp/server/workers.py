"""The server's threads: the one that was busy last is the first to be given the next request.

waitress gives it to the one that has waited longest, so that with many threads each request finds one whose memory the
processor has forgotten, and wakes it through a condition variable. Here each thread waits at a lock of its own.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol

from waitress.utilities import logger

POLL_SECONDS = 0.01


class Job(Protocol):
    """What waitress wants to have done: the requests of one connection."""

    def service(self) -> None: ...

    def cancel(self) -> None: ...


class _Worker:
    """A thread without a job: the lock is free once there is one, or none to come."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        self.job: Job | None = None


class Workers:
    """waitress's dispatcher of jobs to threads, as far as waitress asks for it."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._jobs: deque[Job] = deque()
        self._ending = False

    def set_thread_count(self, count: int) -> None:
        """Start so many threads; once, at the beginning."""
        for number in range(count):
            self.threads.add(number)
            threading.Thread(target=self._work, args=(number,), name=f"waitress-{number}", daemon=True).start()

    def add_task(self, job: Job) -> None:
        """Give a job to whoever was busy last, or let it wait its turn."""
        with self._lock:
            if not self._idle:
                self._jobs.append(job)
                return
            worker = self._idle.pop()
        worker.job = job
        worker.lock.release()

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> None:
        """End the threads; wait for those that are busy at most this long, and drop what nobody has begun."""
        with self._lock:
            self._ending = True
            idle, self._idle = self._idle, []
            dropped = list(self._jobs) if cancel_pending else []
            self._jobs.clear()
        for worker in idle:
            worker.lock.release()
        for job in dropped:
            job.cancel()
        until = time.monotonic() + timeout
        while self.threads and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def _work(self, number: int) -> None:
        worker = _Worker()
        while (job := self._next(worker)) is not None:
            try:
                job.service()
            except BaseException:  # noqa: BLE001 - the thread is for others, too
                logger.exception("Exception when servicing %r", job)
                job.cancel()
            del job
        self.threads.discard(number)

    def _next(self, worker: _Worker) -> Job | None:
        """Return the next job, waiting for one; None at the end."""
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            if self._ending:
                return None
            self._idle.append(worker)
        worker.lock.acquire()
        job, worker.job = worker.job, None
        return job
