"""The balances that a journal may assert at its end, so that whoever reads it checks it against the ledger's own.

A journal's balance of an account counts all below it. So an account is left out where the journal has other accounts
below it than the ledger, which happens when those are of another type.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from myapp.api.exchange.book import Book

# Those of an import, which counts them in no assertion.
TRADING_PREFIX = "equity:trading:"

DAY = timedelta(days=1)


def balances(book: Book, names: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Yield a path, a currency and the debits less the credits of what is there and below, in the smallest unit."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    doubtful = _doubtful(names)
    for account in book.accounts:
        for code, counters in account.balances.items():
            net = counters.debits_posted - counters.credits_posted
            for path in _self_and_above(account.path):
                sums[path, code] += net
    for account in book.accounts:
        if account.path not in doubtful:
            for code in account.balances:
                yield account.path, code, sums[account.path, code]


def day_after(book: Book) -> date | None:
    """Return the day after the last effective one, or None where nothing is recorded."""
    days = book.walk.days()
    return None if days is None else days[1] + DAY


def _doubtful(names: Mapping[str, str]) -> set[str]:
    """Return the paths whose balance is not the same in the journal as in the ledger."""
    by_name = {name: path for path, name in names.items()}
    doubtful: set[str] = set()
    for path, name in names.items():
        in_ledger = {above for above in _self_and_above(path) if above in names}
        in_journal = {by_name[above] for above in _self_and_above(name) if above in by_name}
        doubtful |= in_ledger ^ in_journal
        if path.startswith(TRADING_PREFIX):
            doubtful |= in_ledger | in_journal
    return doubtful


def _self_and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(":")[0]
