"""What does the application hold on to while no request is under way?"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.sessions.application import Application, serve
from tests.benchmarks.sessions.findings import Leftovers
from tests.benchmarks.sessions.outside import Outside
from tests.benchmarks.sessions.strategies import Setup, Strategy


def measure(strategy: Strategy, setup: Setup, outside: Outside) -> Leftovers:
    """Look after one request on each thread: a read, a change, and a transfer that fails in the middle."""
    reads = _look(strategy, setup, outside, lambda application, thread: application.get(thread))
    changes = _look(strategy, setup, outside, lambda application, thread: application.post(thread))
    failures = _look(
        strategy,
        setup,
        outside,
        lambda application, thread: application.transfer(2 * thread, f"left over {thread}", fault="application"),
    )
    return Leftovers(
        checked_out_after_reads=reads[0],
        idle_after_reads=reads[1],
        checked_out_after_changes=changes[0],
        idle_after_changes=changes[1],
        checked_out_after_failures=failures[0],
        idle_after_failures=failures[1],
    )


def _look(
    strategy: Strategy, setup: Setup, outside: Outside, ask: Callable[[Application, int], object]
) -> tuple[int, int | None]:
    with serve(strategy, setup) as application:
        application.on_each_thread(lambda thread: ask(application, thread))
        checked_out: int = application.engine.pool.checkedout()  # type: ignore[attr-defined]
        return checked_out, outside.idle_in_transaction()
