"""The server's threads: who gets a job, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from myapp.server.workers import Workers

SECONDS = 10


class Job:
    """Something to be done."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        self._work = work
        self.thread = ""
        self.done = threading.Event()
        self.cancelled = False

    def service(self) -> None:
        self.thread = threading.current_thread().name
        self.done.set()
        self._work()

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    made.set_thread_count(3)
    wait_for_idle(made, 3)
    yield made
    made.shutdown(timeout=SECONDS)
    assert not made.threads


def wait_for_idle(workers: Workers, count: int) -> None:
    until = time.monotonic() + SECONDS
    while len(workers._idle) < count and time.monotonic() < until:
        time.sleep(0.001)
    assert len(workers._idle) >= count


class TestWorkers:
    def test_give_a_job_to_who_was_busy_last(self, workers: Workers):
        threads = set()
        for _ in range(20):
            job = Job()
            workers.add_task(job)
            assert job.done.wait(SECONDS)
            wait_for_idle(workers, 3)
            threads.add(job.thread)
        assert len(threads) == 1

    def test_do_as_many_at_once_as_there_are_threads_and_the_rest_in_order(self, workers: Workers):
        together, order = threading.Barrier(4), []
        for _ in range(3):
            workers.add_task(Job(together.wait))
        later = [Job(lambda number=number: order.append(number)) for number in range(5)]  # type: ignore[misc]
        for job in later:
            workers.add_task(job)
        assert not any(job.done.is_set() for job in later)
        together.wait(SECONDS)
        assert all(job.done.wait(SECONDS) for job in later)
        wait_for_idle(workers, 3)
        assert sorted(order) == [0, 1, 2, 3, 4]

    def test_lose_no_job_that_many_give_at_once(self, workers: Workers):
        jobs = [Job() for _ in range(2000)]

        def give(first: int) -> None:
            for job in jobs[first::4]:
                workers.add_task(job)

        givers = [threading.Thread(target=give, args=(first,)) for first in range(4)]
        for giver in givers:
            giver.start()
        assert all(job.done.wait(SECONDS) for job in jobs)

    def test_go_on_after_a_job_that_fails(self, workers: Workers, caplog: pytest.LogCaptureFixture):
        def fail() -> None:
            raise SystemExit("nobody's thread ends")

        for _ in range(6):
            workers.add_task(Job(fail))
        job = Job()
        workers.add_task(job)
        assert job.done.wait(SECONDS)
        wait_for_idle(workers, 3)
        assert len([record for record in caplog.records if "servicing" in record.getMessage()]) == 6

    def test_finish_what_was_begun_and_drop_what_was_not(self):
        workers, go = Workers(), threading.Event()
        workers.set_thread_count(1)
        begun, waiting = Job(lambda: go.wait(SECONDS)), Job()
        workers.add_task(begun)
        assert begun.done.wait(SECONDS)
        workers.add_task(waiting)
        threading.Timer(0.1, go.set).start()

        workers.shutdown(timeout=SECONDS)

        assert (waiting.cancelled, waiting.done.is_set(), workers.threads) == (True, False, set())

    def test_wait_no_longer_than_they_are_told(self):
        workers, go = Workers(), threading.Event()
        workers.set_thread_count(1)
        job = Job(lambda: go.wait(SECONDS))
        workers.add_task(job)
        assert job.done.wait(SECONDS)

        workers.shutdown(timeout=0.1)

        assert workers.threads == {0}
        go.set()
