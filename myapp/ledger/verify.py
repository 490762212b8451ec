"""Check what must hold in a ledger, over everything it has recorded, and return the figures compared. Reads only.

Each check is right beside writers in a unit of work at REPEATABLE READ; for figures that agree with one another as
well, run all of them in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy.orm import Session

from myapp.ledger.model import Ledger
from myapp.ledger.verifying import (
    balances,
    bank,
    check,
    events,
    holds,
    prices,
    reversals,
    sealed,
    states,
    terms,
    totals,
    transactions,
)
from myapp.ledger.verifying.check import Check, Part, Portion, Whole
from myapp.ledger.verifying.checkpoints import newest as newest_checkpoint
from myapp.ledger.verifying.checkpoints import save as save_checkpoint
from myapp.ledger.verifying.incremental import Run
from myapp.ledger.verifying.incremental import run as verify_new

__all__ = [
    "CHECKS",
    "Check",
    "Run",
    "newest_checkpoint",
    "save_checkpoint",
    "verify",
    "verify_in_portions",
    "verify_new",
]

# Each in a few statements, however large the ledger.
WHOLE: Mapping[str, Whole] = {
    transactions.BALANCE: transactions.balance,
    balances.LEDGER: balances.ledger_balances,
    balances.SUMS: balances.counters_are_sums,
    balances.STEPS: balances.postings_follow_each_other,
    balances.LIMITS: balances.limits_hold,
    transactions.TIMES: transactions.effective_times_agree,
    transactions.EFFECTS: transactions.effects_agree,
    totals.DAYS: totals.day_totals_are_sums,
    totals.MONTHS: totals.month_totals_are_sums,
    terms.AGREE: terms.agree,
    holds.KEPT: holds.are_kept,
    events.COMPLETE: events.are_complete,
    events.NUMBERED: events.are_numbered,
    states.ACCOUNTS: states.accounts_agree,
    states.SETTINGS: states.settings_agree,
    bank.MATCHES: bank.matches_agree,
    bank.STATES: bank.states_agree,
    sealed.CHAINED: sealed.are_chained,
}
PORTIONED: Mapping[str, Portion] = {
    holds.AGREE: holds.agree,
    reversals.MIRROR: reversals.mirror,
    prices.AGREE: prices.PRICES.agree,
    bank.LINES: bank.IMPORTED.agree,
    sealed.UNCHANGED: sealed.is_unchanged,
}
CHECKS = (*WHOLE, *PORTIONED)

# Opens a unit of work that reads, at REPEATABLE READ.
Reading = Callable[[], AbstractContextManager[Session]]


def verify(session: Session, ledger: Ledger) -> Sequence[Check]:
    """Check the invariants of docs/ledger.md, all but whether what was sealed is unchanged, which takes long."""
    return [
        *(run(session, ledger) for run in WHOLE.values()),
        *(
            check.of_parts(name, _parts(lambda after, run=run: run(session, ledger, after)))  # type: ignore[misc]
            for name, run in PORTIONED.items()
            if name != sealed.UNCHANGED
        ),
    ]


def verify_in_portions(reading: Reading, ledger: Ledger, *, progress: Callable[[str, int], None]) -> Iterator[Check]:
    """Check all the invariants, each in units of work of its own, so that no snapshot is held for long.

    `progress` is told which check is at its how many-th portion.
    """
    for name, whole in WHOLE.items():
        progress(name, 1)
        with reading() as session:
            found = whole(session, ledger)
        yield found
    for name, portion in PORTIONED.items():
        yield check.of_parts(name, _apart(reading, ledger, name, portion, progress))


def _apart(
    reading: Reading, ledger: Ledger, name: str, portion: Portion, progress: Callable[[str, int], None]
) -> Iterator[Part]:
    def read(after: Any) -> Part:
        with reading() as session:
            return portion(session, ledger, after)

    for nth, part in enumerate(_parts(read), start=1):
        progress(name, nth)
        yield part


def _parts(read: Callable[[Any], Part]) -> Iterator[Part]:
    after: Any = None
    while True:
        part = read(after)
        yield part
        if part.next is None:
            return
        after = part.next
