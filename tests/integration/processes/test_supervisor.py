"""The supervisor with real processes that do little; with real servers it is met in tests/faults/test_processes.py."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from myapp.processes import signals, supervisor, worker

WAIT_SECONDS = 10
SMALL_WORKER = Path(__file__).with_name("small_worker.py")


@dataclass
class Supervised:
    """A supervisor in a thread, and what is known of it."""

    mood: Path
    door: socket.socket
    to_inbox: socket.socket
    said: list[tuple[str, ...]] = field(default_factory=list)
    started: list[worker.Worker] = field(default_factory=list)
    refuses_to_reload: str | None = None
    code: int | None = None
    error: supervisor.NotStarted | None = None
    thread: threading.Thread | None = None

    def run(self, count: int, inbox: signals.Inbox) -> None:
        supervising = supervisor.Supervisor(
            self.start,
            count,
            check=self.check,
            close_doors=self.door.close,
            say=lambda *states: self.said.append(states),
        )
        try:
            self.code = supervising.run(inbox)
        except supervisor.NotStarted as exc:
            self.error = exc

    def start(self, number: int) -> worker.Worker:
        command = [sys.executable, "-S", str(SMALL_WORKER), str(self.mood)]
        with tempfile.TemporaryFile() as tally:
            self.started.append(worker.Worker(number, command, [self.door], tally=tally.fileno(), end_seconds=0))
        return self.started[-1]

    def check(self) -> None:
        if self.refuses_to_reload:
            raise supervisor.CannotReload(self.refuses_to_reload)

    def say(self, *states: str) -> None:
        self.said.append(states)

    def signal(self, number: signal.Signals) -> None:
        self.to_inbox.sendall(bytes([number]))

    def ended(self) -> int | None:
        """Wait for the end and return the exit code."""
        self.thread.join(WAIT_SECONDS)
        assert not self.thread.is_alive()
        return self.code

    def close(self) -> None:
        """End it, whatever it does."""
        for _ in range(2):
            self.signal(signal.SIGTERM)
        self.ended()
        assert self.living() == []
        self.to_inbox.close()
        self.door.close()

    def wait_until_said(self, *states: str, times: int = 1) -> None:
        wait_until(lambda: self.said.count(states) >= times)

    def living(self) -> list[int]:
        """Return the processes of the workers that live, the oldest first."""
        return [each.pid for each in self.started if is_alive(each.pid)]

    def answering(self) -> set[int]:
        """Return the processes that answer on the port, asked a few times."""
        return {self.ask() for _ in range(20)}

    def ask(self) -> int:
        with closing(socket.create_connection(self.door.getsockname(), timeout=WAIT_SECONDS)) as client:
            return int(client.recv(100))


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Return a function that lets a supervisor start so many workers in a mood."""
    caplog.set_level(logging.INFO, "myapp.processes")
    # No signal tells a thread that a process has ended.
    monkeypatch.setattr(supervisor, "TURN_SECONDS", 0.02)

    def supervise(count: int, mood: str = "well") -> Supervised:
        mood_file = tmp_path / "mood"
        mood_file.write_text(mood)
        door = socket.create_server(("127.0.0.1", 0))
        arriving, written = socket.socketpair()
        arriving.setblocking(False)
        stack.callback(arriving.close)
        new = stack.enter_context(closing(Supervised(mood_file, door, written)))
        new.thread = threading.Thread(target=new.run, args=[count, signals.Inbox(arriving)], daemon=True)
        new.thread.start()
        return new

    with ExitStack() as stack:
        yield supervise


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestStart:
    def test_says_ready_once_all_are(self, supervise: Supervise):
        supervised = supervise(3)
        supervised.wait_until_said("READY=1")

        assert len(supervised.living()) == 3
        assert all(each.is_ready for each in supervised.started)
        assert supervised.answering() <= set(supervised.living())

    def test_is_given_up_when_the_first_fails(self, supervise: Supervise):
        supervised = supervise(3, "fails")
        supervised.ended()

        assert "ended with 3 before it was ready" in str(supervised.error)
        assert len(supervised.started) == 1
        assert ("READY=1",) not in supervised.said

    def test_is_given_up_when_it_takes_too_long(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(worker, "START_SECONDS", 0.2)
        supervised = supervise(2, "hangs")
        supervised.ended()

        assert "was killed by SIGKILL before it was ready" in str(supervised.error)

    def test_may_be_ended(self, supervise: Supervise):
        supervised = supervise(2, "hangs")
        wait_until(lambda: bool(supervised.started))
        supervised.signal(signal.SIGTERM)

        assert supervised.ended() == 0


class TestWatch:
    def test_replaces_a_worker_that_died(self, supervise: Supervise):
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        first, second = supervised.living()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(supervised.started) == 3 and supervised.started[-1].is_ready)

        assert supervised.living() == [second, supervised.started[-1].pid]
        assert supervised.started[-1].number == 0

    def test_waits_longer_each_time_it_dies_early(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.1)
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        supervised.mood.write_text("fails")
        began = time.monotonic()
        os.kill(supervised.living()[0], signal.SIGKILL)
        wait_until(lambda: len(supervised.started) == 5)

        assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
        assert len(supervised.living()) >= 1

    def test_starts_again_at_once_what_lived_long(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(supervisor, "PAUSE_SECONDS", WAIT_SECONDS + 1)
        monkeypatch.setattr(supervisor, "STEADY_SECONDS", 0)
        supervised = supervise(1)
        supervised.wait_until_said("READY=1")
        os.kill(supervised.living()[0], signal.SIGKILL)

        wait_until(lambda: len(supervised.started) == 2)


class TestReload:
    def test_replaces_one_after_the_other(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        alive_at_start: list[int] = []
        start = Supervised.start

        def counted(self: Supervised, number: int) -> worker.Worker:
            alive_at_start.append(len(self.living()))
            return start(self, number)

        monkeypatch.setattr(Supervised, "start", counted)
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        before = set(supervised.living())
        supervised.signal(signal.SIGHUP)
        supervised.wait_until_said("READY=1", "STATUS=")

        assert len(supervised.living()) == 2
        assert not before & supervised.answering()
        assert alive_at_start == [0, 1, 2, 2]
        assert supervised.said[1][0] == "RELOADING=1"

    @pytest.mark.parametrize("mood", ["fails", "hangs"])
    def test_that_fails_keeps_the_old_ones(self, supervise: Supervise, mood: str, monkeypatch: pytest.MonkeyPatch):
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        before = supervised.living()
        supervised.mood.write_text(mood)
        with monkeypatch.context() as patched:
            patched.setattr(worker, "START_SECONDS", 0.5)
            supervised.signal(signal.SIGHUP)
            wait_until(lambda: supervised.said[-1][-1].startswith("STATUS=The last reload failed"))

        assert supervised.living() == before
        assert supervised.answering() <= set(before)
        supervised.mood.write_text("well")
        supervised.signal(signal.SIGHUP)
        supervised.wait_until_said("READY=1", "STATUS=")
        assert not set(before) & set(supervised.living())

    def test_starts_nobody_when_the_settings_are_bad(self, supervise: Supervise, caplog: pytest.LogCaptureFixture):
        supervised = supervise(1)
        supervised.wait_until_said("READY=1")
        supervised.refuses_to_reload = "nonsense"
        supervised.signal(signal.SIGHUP)
        supervised.wait_until_said("READY=1", "STATUS=The last reload failed: nonsense")
        supervised.signal(signal.SIGTERM)

        assert supervised.ended() == 0
        assert len(supervised.started) == 1
        assert "nonsense" in caplog.text

    def test_that_is_asked_for_at_the_start_is_of_those_who_start_too(self, supervise: Supervise):
        supervised = supervise(2)
        wait_until(lambda: bool(supervised.started))
        supervised.signal(signal.SIGHUP)
        supervised.wait_until_said("READY=1", "STATUS=")

        assert len(supervised.living()) == 2
        # It may have read what there was before.
        assert not is_alive(supervised.started[0].pid)

    def test_kills_an_old_one_that_does_not_end(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(worker, "END_SECONDS", 0.2)
        supervised = supervise(1, "stays")
        supervised.wait_until_said("READY=1")
        before = supervised.living()
        supervised.mood.write_text("well")
        supervised.signal(signal.SIGHUP)
        supervised.wait_until_said("READY=1", "STATUS=")
        assert not set(before) & set(supervised.living())
        supervised.signal(signal.SIGTERM)

        assert supervised.ended() == 0


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ends_all_in_an_orderly_way(self, supervise: Supervise, number: signal.Signals):
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        supervised.signal(number)

        assert supervised.ended() == 0
        assert supervised.said[-1] == ("STOPPING=1",)
        assert supervised.door.fileno() == -1
        assert supervised.living() == []

    def test_kills_what_does_not_end_in_time_and_says_so(self, supervise: Supervise, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(worker, "END_SECONDS", 0.2)
        supervised = supervise(1, "stays")
        supervised.wait_until_said("READY=1")
        supervised.signal(signal.SIGTERM)

        assert supervised.ended() == 1

    def test_kills_at_once_at_a_second_signal(self, supervise: Supervise):
        supervised = supervise(2, "stays")
        supervised.wait_until_said("READY=1")
        began = time.monotonic()
        supervised.signal(signal.SIGTERM)
        supervised.signal(signal.SIGINT)

        assert supervised.ended() == -signal.SIGINT
        assert time.monotonic() - began < 3

    def test_ends_also_who_is_being_replaced(self, supervise: Supervise):
        supervised = supervise(2)
        supervised.wait_until_said("READY=1")
        supervised.mood.write_text("hangs")
        supervised.signal(signal.SIGHUP)
        wait_until(lambda: len(supervised.started) == 3)
        supervised.signal(signal.SIGTERM)

        assert supervised.ended() == 0
