"""`myapp serve`: several `pserve` behind one port, started, reloaded and stopped together."""

from __future__ import annotations

import argparse
import configparser
import contextlib
import gc
import itertools
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pyramid.scripts.common import get_config_loader, parse_vars
from waitress.adjustments import Adjustments

from myapp import server, settings
from myapp.processes import cores, listening, signals, supervisor, systemd, tally, worker

log = logging.getLogger(__name__)

DESCRIPTION = """\
Serve with several processes behind one port, each an ordinary `pserve` of the same file. SIGHUP reloads: a new process
for each old one, one after the other, with the code and settings of now; no connection is refused or lost. SIGTERM or
Ctrl-C stops all in an orderly way, a second one at once. Sockets that systemd hands over are served instead of the
addresses in the file. See docs/operations.md.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "serve",
        help="serve with several processes behind one port",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ini", metavar="FILE", help="as for pserve")
    parser.add_argument("variables", metavar="NAME=VALUE", nargs="*", help="as for pserve, like http_port=7000")
    parser.add_argument(
        "--processes", type=_count, metavar="N", help="how many; as many as processors may be used, when left out"
    )
    parser.add_argument("--pid-file", type=Path, metavar="FILE", help="where to write whom to signal, while it serves")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-5s %(process)d %(name)s %(message)s"
    )
    count = options.processes or cores.usable()
    serving = Serving(options.ini, options.variables, count, environ)
    with signals.heeded() as inbox, _pid_file(options.pid_file):
        code = supervisor.Supervisor(
            serving.start, count, check=serving.check, close_doors=serving.close_doors, say=serving.say
        ).run(inbox)
    if code < 0:
        # The end of a process that was killed, as its parent expects it.
        signal.signal(-code, signal.SIG_DFL)
        signal.raise_signal(-code)
    return code


class Serving:
    """The sockets, and how to start a worker that serves them."""

    def __init__(self, ini: str, variables: Sequence[str], count: int, environ: Mapping[str, str]) -> None:
        self._ini = ini
        self._variables = variables
        self._environ = environ
        self._runner = _runner(ini, variables)
        self._shared = systemd.sockets(environ) or listening.bind(Adjustments(**self._runner.adjustments))
        own = self._runner.wanted.worker_listen
        self._own = [listening.bind_own(own, number) if own else [] for number in range(count)]
        self._tally = tally.make(count)

    def start(self, number: int) -> worker.Worker:
        """Start a worker."""
        # Whoever was there before is dead, or says itself how many it has.
        tally.Tally(self._tally.fileno(), number).forget()
        command = [sys.executable, "-m", "pyramid.scripts.pserve", self._ini, *self._variables]
        wanted = self._runner.wanted
        return worker.Worker(
            number,
            command,
            [*self._shared, *self._own[number]],
            tally=self._tally.fileno(),
            end_seconds=wanted.drain_seconds + wanted.shutdown_seconds,
        )

    def check(self) -> None:
        """Read the settings of the server again.

        Raises:
            supervisor.CannotReload: they cannot be read.
        """
        before = self._runner
        try:
            self._runner = _runner(self._ini, self._variables)
        except settings.SettingsError as exc:
            raise supervisor.CannotReload(str(exc)) from exc
        if self._runner.addresses != before.addresses:
            log.warning("The addresses to listen on have changed; that takes a restart")

    def close_doors(self) -> None:
        """Leave the sockets to the workers, who serve them until they close their own."""
        listening.close(itertools.chain(self._shared, *self._own))

    def say(self, *states: str) -> None:
        """Tell systemd."""
        systemd.notify(self._environ, *states)


def _runner(ini: str, variables: Sequence[str]) -> server.Runner:
    """Return how the file says to serve, read as `pserve` reads it.

    Raises:
        settings.SettingsError: it cannot be read, or names another server.
    """
    threshold = gc.get_threshold()
    try:
        runner = get_config_loader(ini).get_wsgi_server(None, parse_vars(variables))
    except (OSError, LookupError, ValueError, ImportError, configparser.Error, SystemExit) as exc:
        raise settings.SettingsError([f"{ini}: {exc}"]) from exc
    finally:
        # What is made here starts nothing.
        gc.set_threshold(*threshold)
    if not isinstance(runner, server.Runner):
        raise settings.SettingsError([f"{ini}: the section [server:main] needs `use = egg:myapp#server`"])
    return runner


@contextlib.contextmanager
def _pid_file(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    path.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count
