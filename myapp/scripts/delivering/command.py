"""`myapp deliver`: send events to webhooks, until SIGTERM or until nothing is due."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType

from myapp.scripts import database, keys
from myapp.scripts.delivering.dispatching import Dispatcher

WORKERS = 4
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Often enough for a signal to be heeded soon.
WAIT_SECONDS = 0.2

DESCRIPTION = """\
Send the events of ledgers to their webhooks, in the order of their numbers, at least once; what is not taken is sent
again after a pause. Runs until SIGTERM or Ctrl-C: then each worker finishes the message it is sending. May run several
times at once, on any machines that reach the database.
"""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "deliver",
        help="send events to webhooks",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="end when nothing is due any more")
    parser.add_argument(
        "--workers", type=_count, default=WORKERS, metavar="N", help=f"webhooks served at once ({WORKERS})"
    )
    keys.add_ini(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-5s %(name)s %(message)s"
    )
    stopping = threading.Event()
    with database.opened(options.ini, environ) as opened, _stopping_at_signals(stopping):
        dispatcher = Dispatcher(opened.sessions, opened.application, stopping=stopping)
        print("Delivering.", flush=True)
        with ThreadPoolExecutor(options.workers) as pool:
            workers = {pool.submit(dispatcher.work, once=options.once) for _ in range(options.workers)}
            pending = workers
            while pending:
                done, pending = wait(pending, timeout=WAIT_SECONDS, return_when=FIRST_EXCEPTION)
                if any(worker.exception() is not None for worker in done):
                    # The others finish what they are sending.
                    stopping.set()
        for worker in workers:
            worker.result()
    return 0


@contextmanager
def _stopping_at_signals(stopping: threading.Event) -> Iterator[None]:
    """Stop in an orderly way at the first signal, and at the second at once."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        stopping.set()

    before = {each: signal.signal(each, handle) for each in SIGNALS}
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count
