"""The loop around waitress's sockets, which ends in steps: see the package."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Mapping
from functools import partial
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Beside create_server, what is used of waitress is not in its documentation; constraints.txt pins it, and
# tests/unit/test_server.py holds it to what is expected here.
from waitress import create_server, wasyncore
from waitress.server import BaseWSGIServer
from waitress.trigger import trigger
from waitress.utilities import logger

from myapp import settings
from myapp.processes import tally
from myapp.server.connections import Channel, OneLine
from myapp.server.watch import Watch
from myapp.server.workers import Workers

log = logging.getLogger(__name__)

SHUTTING_DOWN = "myapp.shutting_down"
LEAVING = "myapp.leaving"

# A request that was on its way when the doors closed arrives within this time; who is silent for longer is idle.
LINGER_SECONDS = 0.5
# What an idle worker thread takes to end, generously.
WORKER_END_SECONDS = 0.2
# How often connections are looked at whose time may have come.
LOOK_SECONDS = 1.0
# For how long nobody is let in once there was no room for one more, and what the system says then.
FULL_SECONDS = 1.0
FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# What an idle process takes to accept, generously.
YIELD_SECONDS = 0.001

_ONE_LINE = OneLine()


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
        self._watch = Watch()
        self._look_at = 0.0
        self._full_until = 0.0
        seen = {SHUTTING_DOWN: self._ending, LEAVING: self._leaving}
        self._workers = Workers()
        server = create_server(_telling(application, seen), map=self._watch, _dispatcher=self._workers, **adjustments)
        self._adjustments = server.adj
        self._workers.set_thread_count(server.adj.threads)
        self._waker = trigger(self._watch)
        self._doors = [each for each in self._watch.values() if isinstance(each, BaseWSGIServer)]
        for door in self._doors:
            door.is_leaving = self.is_leaving
            door.channel_class = Channel
            door.handle_accept = partial(self._let_in, door)
            door.accept = partial(self._accept, door)
            door.readable = partial(self._lets_in, door)
        # All that is not a connection.
        self._fixtures = len(self._watch)
        logger.addFilter(_ONE_LINE)
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
        while (now := time.monotonic()) < drained and (self._doors or self._has_to_answer()):
            self._turn(drained - now)

    def _turn(self, seconds: float) -> None:
        """Do what the sockets are ready for; wait for that at most as long as given."""
        if self._tally and not self.is_leaving():
            self._tally.set(len(self._watch) - self._fixtures)
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            for channel in self._channels():
                channel.look()
            self._watch.ask_all()
        before, was_full = len(self._watch), now < self._full_until
        longest = self._full_until - now if was_full else self._adjustments.asyncore_loop_timeout
        self._watch.turn(min(seconds, longest))
        if was_full or len(self._watch) < before:
            # They had stopped accepting, or had so at `connection_limit`.
            self._ask_doors()

    def _ask_doors(self) -> None:
        for door in self._doors:
            self._watch.ask(door)

    def _let_in(self, door: BaseWSGIServer) -> None:
        # With the others it is a matter of luck who gets a connection, unless one who has more hesitates.
        if self._tally and self._tally.is_ahead():
            time.sleep(YIELD_SECONDS)
        BaseWSGIServer.handle_accept(door)

    def _accept(self, door: BaseWSGIServer) -> tuple[socket.socket, object] | None:
        """Accept who knocks. Where there is no room the doors are shut for a while: else the system tells of who waits
        at them again and again."""
        try:
            accepted: tuple[socket.socket, object] | None = wasyncore.dispatcher.accept(door)
        except OSError as exc:
            if exc.errno not in FULL:
                raise
            log.warning("Nobody is let in for %g s: %s", FULL_SECONDS, exc)
            self._full_until = time.monotonic() + FULL_SECONDS
            self._ask_doors()
            return None
        return accepted

    def _lets_in(self, door: BaseWSGIServer) -> bool:
        return time.monotonic() >= self._full_until and BaseWSGIServer.readable(door)

    def _close_doors(self) -> None:
        for door in self._doors:
            _let_all_in(door)
        self._leave_doors()

    def _leave_doors(self) -> None:
        for door in self._doors:
            # Not door.close(): that closes its pipe too, and workers would write into whatever has the number next.
            wasyncore.dispatcher.close(door)
        self._doors = []

    def _finish(self, deadline: float) -> None:
        """Serve the connections there are until none is left or the deadline has come."""
        patience = min(deadline, time.monotonic() + LINGER_SECONDS)
        while (now := time.monotonic()) < deadline and self._is_unfinished(closes_idle=now >= patience):
            self._turn((patience if now < patience else deadline) - now)

    def _is_unfinished(self, *, closes_idle: bool) -> bool:
        """Say whether there are connections, less those that are idle, if these are to be closed."""
        for channel in self._channels():
            # One that has parted goes when its client does, or when it is looked at.
            if closes_idle and channel.is_idle and not channel.has_parted:
                channel.handle_close()
        return bool(self._channels())

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
            self._watch.close()

    def _has_to_answer(self) -> bool:
        return any(not channel.has_parted for channel in self._channels())

    def _channels(self) -> list[Channel]:
        return [each for each in list(self._watch.values()) if isinstance(each, Channel)]


def _telling(application: WSGIApplication, told: Mapping[str, threading.Event]) -> WSGIApplication:
    """Let each request see how the server is, whatever filters the application is wrapped in."""

    def telling(environ: WSGIEnvironment, start_response: StartResponse) -> object:
        environ.update(told)
        return application(environ, start_response)

    return telling  # type: ignore[return-value]


def _let_all_in(door: BaseWSGIServer) -> None:
    """Accept whoever the system has connected already, and would be cut off unheard."""
    for _ in range(door.adj.backlog):
        connected = len(door.active_channels)
        BaseWSGIServer.handle_accept(door)
        if len(door.active_channels) == connected:
            return
