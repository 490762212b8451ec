"""Serve the application with waitress, and end well: SIGTERM loses nothing that was begun, within a bound.

`use = egg:myapp#server` in the section `[server:main]`; it takes waitress's settings, and those of `settings.SERVER`.

    SIGTERM or SIGINT → announced → drain_seconds → doors closed → in flight finished, at most shutdown_seconds → exit 0
                                    still accepting                                       a second signal ends at once

Only what a request can see is agreed with the application: `environ["myapp.shutting_down"]` is a `threading.Event`, set
once the end is announced. See docs/operations.md and docs/decisions/0009-a-server-that-ends-well.md.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

log = logging.getLogger(__name__)

SHUTTING_DOWN = "myapp.shutting_down"
SIGNALS = (signal.SIGTERM, signal.SIGINT)

# A request that was on its way when the doors closed arrives within this time; who is silent for longer is idle.
LINGER_SECONDS = 0.5
# How long a thread may run on while others want to; shorter than Python's own, for the threads here run in short bursts
# between two waits for the database. See docs/performance.md.
SWITCH_SECONDS = 0.0002
# After how many new objects Python looks for garbage in cycles. A request leaves little of it, and a batch makes more
# objects than Python's own 700, none of them garbage before its end.
GARBAGE_OBJECTS = 50_000
# What an idle worker thread takes to end, generously.
WORKER_END_SECONDS = 0.2

_ESCAPES = {number: f"%{number:02X}" for number in (*range(32), 127)}


def make(_global_config: Mapping[str, str], **raw: str) -> Callable[[WSGIApplication], None]:
    """Return the function with which `pserve` serves the application.

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

    def serve(application: WSGIApplication) -> None:
        server = Server(application, wanted, adjustments)
        sys.setswitchinterval(SWITCH_SECONDS)
        # What is there now stays to the end: no need to look through it again for garbage.
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS)
        with _ending_at_signals(server.end):
            server.run()
            engine.dispose_all()

    return serve


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
        if is_last and self.channel.server.ending.is_set():
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
        self, application: WSGIApplication, wanted: settings.Server, adjustments: Mapping[str, object]
    ) -> None:
        self._wanted = wanted
        self._ending = threading.Event()
        # Everything that the loop looks after: listening sockets, connections, and the pipes that wake it.
        self._map: dict[int, wasyncore.dispatcher] = {}
        server = create_server(_announcing(application, self._ending), map=self._map, **adjustments)
        self._adjustments = server.adj
        self._workers = server.task_dispatcher
        self._waker = trigger(self._map)
        self._doors = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        for door in self._doors:
            door.ending = self._ending
            door.channel_class = Channel
        logger.addFilter(_one_line)
        server.print_listen("Serving on http://{}:{}")

    def end(self) -> None:
        """Announce the end and return; any thread may call it, and a signal handler. Once is enough."""
        if self._ending.is_set():
            return
        self._ending.set()
        # Without a thunk it takes no lock, which the interrupted thread might hold.
        self._waker.pull_trigger()

    def run(self) -> None:
        """Serve until `end` is called and what was in flight is finished, or cut off at the bound."""
        while not self._ending.is_set():
            self._turn(self._adjustments.asyncore_loop_timeout)
        log.info("Shutting down: not ready any more, accepting for %g s", self._wanted.drain_seconds)
        drained = time.monotonic() + self._wanted.drain_seconds
        while (now := time.monotonic()) < drained:
            self._turn(drained - now)
        self._close_doors()
        deadline = time.monotonic() + self._wanted.shutdown_seconds
        self._finish(deadline)
        self._stop_workers(deadline)

    def _turn(self, seconds: float) -> None:
        """Do what the sockets are ready for; wait for that at most as long as given."""
        timeout = min(seconds, self._adjustments.asyncore_loop_timeout)
        wasyncore.loop(timeout=timeout, use_poll=self._adjustments.asyncore_use_poll, map=self._map, count=1)

    def _close_doors(self) -> None:
        for door in self._doors:
            _let_in(door)
            # Not door.close(): that closes its pipe too, and workers would write into whatever has the number next.
            wasyncore.dispatcher.close(door)

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


def _announcing(application: WSGIApplication, ending: threading.Event) -> WSGIApplication:
    """Let each request see whether the server is about to end, whatever filters the application is wrapped in."""

    def announcing(environ: WSGIEnvironment, start_response: StartResponse) -> object:
        environ[SHUTTING_DOWN] = ending
        return application(environ, start_response)

    return announcing  # type: ignore[return-value]


def _let_in(door: BaseWSGIServer) -> None:
    """Accept whoever the system has connected already, and would be cut off unheard."""
    for _ in range(door.adj.backlog):
        connected = len(door.active_channels)
        door.handle_accept()
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
