"""Serve the application with waitress, and end well: SIGTERM loses nothing that was begun, within a bound.

`use = egg:myapp#server` in the section `[server:main]`; it takes waitress's settings, and those of `settings.SERVER`.

    SIGTERM or SIGINT → announced → drain_seconds → doors closed → in flight finished, at most shutdown_seconds → exit 0
                                    still accepting                                       a second signal ends at once

Only what a request can see is agreed with the application: `environ["myapp.shutting_down"]` is a `threading.Event`, set
once the end is announced, and `environ["myapp.leaving"]` one that is set also when only this process ends, in favour of
others. See docs/operations.md and docs/decisions/0009-a-server-that-ends-well.md.

One of several processes behind a port (`myapp.processes`) serves the sockets it is given. It may retire, an end that
the others make up for: doors closed → who is connected is served for drain_seconds and told to go → finished as above.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Beside create_server, what is used of waitress is not in its documentation; constraints.txt pins it, and
# tests/unit/test_server.py holds it to what is expected here.
from waitress import create_server, wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask
from waitress.trigger import trigger
from waitress.utilities import logger

from myapp import settings
from myapp.db import engine
from myapp.processes import inherited, tally

log = logging.getLogger(__name__)

SHUTTING_DOWN = "myapp.shutting_down"
LEAVING = "myapp.leaving"
SIGNALS = (signal.SIGTERM, signal.SIGINT)

# A request that was on its way when the doors closed arrives within this time; who is silent for longer is idle.
LINGER_SECONDS = 0.5
# How long a thread may run on while others want to; shorter than Python's own, for the threads here run in short bursts
# between two waits for the database. See docs/performance.md.
SWITCH_SECONDS = 0.0002
# What an idle worker thread takes to end, generously.
WORKER_END_SECONDS = 0.2

# What an idle process takes to accept, generously.
YIELD_SECONDS = 0.001

# Where waitress would listen by itself.
ADDRESSES = ("host", "port", "listen", "unix_socket", "unix_socket_perms")

_ESCAPES = {number: f"%{number:02X}" for number in (*range(32), 127)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The function with which `pserve` serves the application, and the settings it has."""

    wanted: settings.Server
    # For waitress.
    adjustments: Mapping[str, str]

    @property
    def addresses(self) -> Mapping[str, str | None]:
        """Where to listen, as the section says it."""
        shared = {key: value for key, value in self.adjustments.items() if key in ADDRESSES}
        return {**shared, "worker_listen": self.wanted.worker_listen}

    def __call__(self, application: WSGIApplication) -> None:
        """Serve until a signal ends it."""
        given = inherited.take(os.environ)
        server = Server(application, self.wanted, self._adjustments(given), tally=given.tally if given else None)
        sys.setswitchinterval(SWITCH_SECONDS)
        # What is there now stays to the end: no need to look through it again for garbage.
        gc.freeze()
        with _ending_at_signals(server.end):
            if given is not None:
                given.follow(retire=server.retire, end=server.end)
                given.say_ready()
            server.run()
            engine.dispose_all()

    def _adjustments(self, given: inherited.Inherited | None) -> Mapping[str, object]:
        if given is None:
            return self.adjustments
        others = {key: value for key, value in self.adjustments.items() if key not in ADDRESSES}
        return {**others, "sockets": given.sockets}


def make(_global_config: Mapping[str, str], **raw: str) -> Runner:
    """Return what `pserve` calls with the application.

    Raises:
        SystemExit: a setting is unknown or malformed; the message names it.
    """
    ours = {setting.key for setting in settings.SERVER}
    adjustments = {key: value for key, value in raw.items() if key not in ours}
    try:
        wanted = settings.read_server(raw)
        Adjustments(**adjustments)
    except (settings.SettingsError, ValueError) as exc:
        # Here and not later: pserve turns a SystemExit while it serves into success.
        sys.exit(f"myapp cannot start. Section [server:main]: {exc}")
    return Runner(wanted=wanted, adjustments=adjustments)


class OneLine(logging.Filter):
    """Escape what would end a line of the log: waitress logs addresses as they were sent, and anyone could add one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, on one line."""
        record.msg, record.args = record.getMessage().translate(_ESCAPES), ()
        return True


_one_line = OneLine()


class Task(WSGITask):  # type: ignore[misc]
    """One request in a worker thread."""

    def build_response_header(self) -> bytes:
        """Return the head of the answer; the last one that the connection gets says so."""
        is_last = len(self.channel.requests) == 1
        if is_last and self.channel.server.is_leaving():
            # As if the client had asked for it, so that waitress does what is right for its version of HTTP.
            self.request.headers["CONNECTION"] = "close"
        head: bytes = super().build_response_header()
        return head


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection of a client."""

    task_class = Task
    # When the client had last taken what there was.
    caught_up_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way: none received, none half-received, no answer half-sent."""
        return not self.requests and self.request is None and not self.total_outbufs_len

    def writable(self) -> bool:
        """Say whether there is something to send; give up a client that takes nothing of it for `channel_timeout`.

        waitress would wait for it, and the worker thread that makes the answer with it, for as long as it stays.
        """
        now = time.time()
        if self.total_outbufs_len < self.adj.send_bytes:
            self.caught_up_at = now
        # Not by its last activity alone: an answer may begin after a long silence.
        if now - max(self.caught_up_at, self.last_activity) > self.adj.channel_timeout:
            self.handle_close()
            return False
        return bool(super().writable())


class Server:
    """waitress's server, listening once made, with an end of its own."""

    def __init__(
        self,
        application: WSGIApplication,
        wanted: settings.Server,
        adjustments: Mapping[str, object],
        *,
        tally: tally.Tally | None = None,
    ) -> None:
        """Take what to serve and how; `tally` counts the connections of several processes behind one port."""
        self._wanted = wanted
        self._tally = tally
        self._ending = threading.Event()
        self._leaving = threading.Event()
        # Everything that the loop looks after: listening sockets, connections, and the pipes that wake it.
        self._map: dict[int, wasyncore.dispatcher] = {}
        seen = {SHUTTING_DOWN: self._ending, LEAVING: self._leaving}
        server = create_server(_telling(application, seen), map=self._map, **adjustments)
        self._adjustments = server.adj
        self._workers = server.task_dispatcher
        self._waker = trigger(self._map)
        self._doors = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        for door in self._doors:
            door.is_leaving = self.is_leaving
            door.channel_class = Channel
            door.handle_accept = partial(self._accept, door)
        # All that is not a connection.
        self._fixtures = len(self._map)
        logger.addFilter(_one_line)
        server.print_listen("Serving on http://{}:{}")

    def is_leaving(self) -> bool:
        """Say whether each answer is the last of its connection."""
        return self._leaving.is_set() or self._ending.is_set()

    def end(self) -> None:
        """Announce the end and return; any thread may call it, and a signal handler. Once is enough."""
        self._ending.set()
        self.retire()

    def retire(self) -> None:
        """As `end`, but /readyz goes on saying yes: others serve in this one's place."""
        if self._leaving.is_set():
            return
        self._leaving.set()
        # Without a thunk it takes no lock, which the interrupted thread might hold.
        self._waker.pull_trigger()

    def run(self) -> None:
        """Serve until `end` or `retire` is called and what was in flight is finished, or cut off at the bound."""
        while not self.is_leaving():
            self._turn(self._adjustments.asyncore_loop_timeout)
        self._drain()
        self._close_doors()
        deadline = time.monotonic() + self._wanted.shutdown_seconds
        self._finish(deadline)
        self._stop_workers(deadline)

    def _drain(self) -> None:
        """Serve for a while as before; who retires, without new connections, and no longer than there are old ones."""
        seconds = self._wanted.drain_seconds
        if self._ending.is_set():
            log.info("Shutting down: not ready any more, accepting for %g s", seconds)
        else:
            log.info("Retiring: others accept, serving who is connected for %g s", seconds)
            self._leave_doors()
        drained = time.monotonic() + seconds
        while (now := time.monotonic()) < drained and (self._doors or self._channels()):
            self._turn(drained - now)

    def _turn(self, seconds: float) -> None:
        """Do what the sockets are ready for; wait for that at most as long as given."""
        if self._tally and not self.is_leaving():
            self._tally.set(len(self._map) - self._fixtures)
        timeout = min(seconds, self._adjustments.asyncore_loop_timeout)
        wasyncore.loop(timeout=timeout, use_poll=self._adjustments.asyncore_use_poll, map=self._map, count=1)

    def _accept(self, door: BaseWSGIServer) -> None:
        # With the others it is a matter of luck who gets a connection, unless one who has more hesitates.
        if self._tally and self._tally.is_ahead():
            time.sleep(YIELD_SECONDS)
        BaseWSGIServer.handle_accept(door)

    def _close_doors(self) -> None:
        for door in self._doors:
            _let_in(door)
        self._leave_doors()

    def _leave_doors(self) -> None:
        for door in self._doors:
            # Not door.close(): that closes its pipe too, and workers would write into whatever has the number next.
            wasyncore.dispatcher.close(door)
        self._doors = []

    def _finish(self, deadline: float) -> None:
        """Serve the connections there are until none is left or the deadline has come."""
        patience = min(deadline, time.monotonic() + LINGER_SECONDS)
        while (now := time.monotonic()) < deadline and (channels := self._channels()):
            if now >= patience:
                for channel in channels:
                    channel.will_close = channel.will_close or channel.is_idle
            self._turn((patience if now < patience else deadline) - now)

    def _stop_workers(self, deadline: float) -> None:
        """End the worker threads; wait for one whose client hung up, and so has no connection any more."""
        in_flight = sum(len(channel.requests) or not channel.is_idle for channel in self._channels())
        self._workers.shutdown(timeout=max(deadline - time.monotonic(), WORKER_END_SECONDS))
        cut_off = max(in_flight, len(self._workers.threads))
        if cut_off:
            log.warning("Shut down: %d request(s) cut off after %g s", cut_off, self._wanted.shutdown_seconds)
        else:
            log.info("Shut down: every request was finished")
        # A worker that was cut off may still write to what would be closed here; that is left to the exit.
        if not self._workers.threads:
            wasyncore.close_all(self._map)

    def _channels(self) -> list[Channel]:
        return [each for each in self._map.values() if isinstance(each, Channel)]


def _telling(application: WSGIApplication, told: Mapping[str, threading.Event]) -> WSGIApplication:
    """Let each request see how the server is, whatever filters the application is wrapped in."""

    def telling(environ: WSGIEnvironment, start_response: StartResponse) -> object:
        environ.update(told)
        return application(environ, start_response)

    return telling  # type: ignore[return-value]


def _let_in(door: BaseWSGIServer) -> None:
    """Accept whoever the system has connected already, and would be cut off unheard."""
    for _ in range(door.adj.backlog):
        connected = len(door.active_channels)
        BaseWSGIServer.handle_accept(door)
        if len(door.active_channels) == connected:
            return


@contextmanager
def _ending_at_signals(end: Callable[[], None]) -> Iterator[None]:
    """End at the first signal in an orderly way, at the second at once, by the signal itself."""
    if threading.current_thread() is not threading.main_thread():
        # Python lets no other thread set a handler.
        yield
        return
    # What is ignored stays so: a program in the background does not end with its terminal's Ctrl-C.
    heeded = {each: old for each in SIGNALS if (old := signal.getsignal(each)) is not signal.SIG_IGN}

    def handle(_number: int, _frame: FrameType | None) -> None:
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)
        end()

    for each in heeded:
        signal.signal(each, handle)
    try:
        yield
    finally:
        for each, old in heeded.items():
            signal.signal(each, old)
