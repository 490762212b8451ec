"""Serve the application with waitress, and end well: SIGTERM loses nothing that was begun, within a bound.

`use = egg:myapp#server` in the section `[server:main]`; it takes waitress's settings, and those of `settings.SERVER`.

    SIGTERM or SIGINT → announced → drain_seconds → doors closed → in flight finished, at most shutdown_seconds → exit 0
                                    still accepting                                       a second signal ends at once

Only what a request can see is agreed with the application: `environ["myapp.shutting_down"]` is a `threading.Event`, set
once the end is announced, and `environ["myapp.leaving"]` one that is set also when only this process ends, in favour of
others. See docs/operations.md and docs/decisions/0009-a-server-that-ends-well.md.

One of several processes behind a port (`myapp.processes`) serves the sockets it is given. It may retire, an end that
the others make up for: doors closed → who is connected is served for drain_seconds and told to go → finished as above.

    settings, signals, what the process is set to   here
    the loop, and its end                           loop
    who waits for what                              watch
    one connection and its answers                  connections
    the threads                                     workers
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from wsgiref.types import WSGIApplication

from waitress.adjustments import Adjustments

from myapp import settings
from myapp.processes import inherited, one_core
from myapp.server.loop import Server

SIGNALS = (signal.SIGTERM, signal.SIGINT)

# How long a thread may run on while others want to; shorter than Python's own, for the threads here run in short bursts
# between two waits for the database. See docs/decisions/0028-threads-sockets-and-garbage.md.
SWITCH_SECONDS = 0.001
# After how many new objects Python looks for garbage in cycles. A request leaves little of it, and a batch makes more
# objects than Python's own 700, none of them garbage before its end.
GARBAGE_OBJECTS = 50_000
# The same until it serves: nearly all that a start imports and configures stays, and to look through that again and
# again is a fifth of its time.
STARTING_OBJECTS = 1_000_000

# Where waitress would listen by itself.
ADDRESSES = ("host", "port", "listen", "unix_socket", "unix_socket_perms")


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
        if self.wanted.one_core:
            # Before there are threads, which then are where this one is.
            one_core.keep(None if given is None else given.place)
        server = Server(application, self.wanted, self._adjustments(given), tally=given.tally if given else None)
        sys.setswitchinterval(SWITCH_SECONDS)
        # What is there now stays to the end: no need to look through it again for garbage.
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS)
        with _ending_at_signals(server.end):
            if given is not None:
                given.follow(retire=server.retire, end=server.end)
                given.say_ready()
            server.run()
            # Not before `make`, which pserve calls before it imports the application. See STARTING_OBJECTS.
            from myapp.db import engine

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
    gc.set_threshold(STARTING_OBJECTS)
    return Runner(wanted=wanted, adjustments=adjustments)


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
