"""Does a request see, and respect, what others committed before it began?

Each thread has accounts of its own, so no two requests race for one: what is stale or overwritten here is so because
of what a session remembers, and not for want of a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.benchmarks.sessions.application import Answer, Application, serve
from tests.benchmarks.sessions.findings import Share, Staleness
from tests.benchmarks.sessions.outside import Outside
from tests.benchmarks.sessions.strategies import Setup, Strategy

REPEATABLE_READ = "REPEATABLE READ"
ACCOUNTS_PER_THREAD = 2


def measure(strategy: Strategy, setup: Setup, outside: Outside, requests: int) -> Staleness:
    """Let others write before each of a thread's requests, and compare what the request answers."""
    errors: Counter[str] = Counter()
    with serve(strategy, setup) as application:
        plain = _stale(application, outside, requests, errors)
    with serve(strategy, setup, keeps=True) as application:
        kept = _stale(application, outside, requests, errors)
    with serve(strategy, setup, keeps=True) as application:
        overwritten = _overwritten(application, outside, requests, errors)
    return Staleness(
        plain=plain,
        kept=kept,
        repeatable=_stale_at_repeatable_read(strategy, setup, outside, requests, errors),
        overwritten=overwritten,
        errors=dict(errors),
    )


def _stale_at_repeatable_read(
    strategy: Strategy, setup: Setup, outside: Outside, requests: int, errors: Counter[str]
) -> Share | None:
    if outside.engine.dialect.name == "sqlite":
        return None
    repeatable = Setup(url=setup.url, expire_on_commit=setup.expire_on_commit, isolation=REPEATABLE_READ)
    with serve(strategy, repeatable) as application:
        return _stale(application, outside, requests, errors)


def _stale(application: Application, outside: Outside, requests: int, errors: Counter[str]) -> Share:
    def read(account: int, number: int) -> int:
        committed = outside.add(account)
        answer = application.get(account, by="get" if number % 2 else "query")
        if not _noted(answer, errors):
            return 0
        return committed is not None and int(answer.text) < committed

    return _on_own_accounts(application, requests, read)


def _overwritten(application: Application, outside: Outside, requests: int, errors: Counter[str]) -> Share:
    def change(account: int, _number: int) -> int:
        before = outside.add(account)
        changed = _noted(application.post(account), errors)
        return before is not None and changed and outside.balance(account) != before + 1

    return _on_own_accounts(application, requests, change)


def _on_own_accounts(application: Application, requests: int, work: Callable[[int, int], int]) -> Share:
    def run(thread: int) -> int:
        first = thread * ACCOUNTS_PER_THREAD
        # Two requests in a row for the same account: one by `get`, one with a query.
        return sum(work(first + number // 2 % ACCOUNTS_PER_THREAD, number) for number in range(requests))

    return Share(count=sum(application.on_each_thread(run)), of=requests * application.threads)


def _noted(answer: Answer, errors: Counter[str]) -> bool:
    if not answer.is_good:
        errors[answer.text] += 1
    return answer.is_good
