"""Load a plan into a ledger: what is there stays, what is missing is added, then the assertions are put to it.

A second run of the same journal finds everything there and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from myapp import errors
from myapp.scripts.importing import assertions, opening, pricing, references
from myapp.scripts.importing.destination import BatchRefused, Destination
from myapp.scripts.importing.plan import JournalError, Note, Plan, PlannedTransaction

BATCH_SIZE = 1_000


class Bar(Protocol):
    """What a progress bar is told: how many more are done."""

    def update(self, n: int, /) -> object: ...


Progress = Callable[[int], AbstractContextManager[Bar]]


class AssertionsFailed(errors.MyappError):
    """The journal's balance directives do not hold, and nothing was loaded for it."""

    code = "assertions-failed"

    def __init__(self, failed: Sequence[str]) -> None:
        listed = "\n".join(failed)
        count = "1 balance assertion does" if len(failed) == 1 else f"{len(failed):,} balance assertions do"
        super().__init__(f"{count} not hold, so nothing was loaded (--keep-going loads all the same):\n{listed}")


class Stopped(errors.MyappError):
    """A service stopped answering or refused a batch after it had recorded others, each for good."""

    code = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an import found and did."""

    ledger_made: bool
    currencies_declared: int
    accounts_opened: int
    accounts_closed: int
    reconciled: references.Reconciled
    prices: pricing.Priced
    failures: Sequence[assertions.Failure]


def load(plan: Plan, destination: Destination, *, keep_going: bool, progress: Progress) -> Outcome:
    """Bring the ledger to what the plan asks.

    Shape: accounts are closed last, and those that an earlier import closed are open while they take more postings.
    Raises:
        JournalError: the ledger refuses something; the journal's line is named.
        AssertionsFailed: an assertion does not hold, and not `keep_going`.
        Stopped: as JournalError, where batches recorded before it stay.
    """
    if not keep_going and not destination.whole:
        _require_own_assertions(plan)
    ledger_made = destination.make_ledger({})
    known = destination.accounts()
    currencies_declared = opening.declare_currencies(plan.currencies, destination)
    accounts_opened = opening.open_accounts(plan.accounts, destination, known)
    reconciled = references.reconcile(
        plan.transactions, _recorded_before(plan, destination), prefix=plan.reference_prefix
    )
    reopened = opening.reopen_accounts(reconciled.new, destination, known)
    _record(reconciled.new, destination, progress)
    priced = pricing.record(plan.prices, destination)
    opening.limit_accounts(plan.accounts, destination, known)
    accounts_closed = opening.close_accounts(plan.accounts, destination, known, reopened)
    failures = assertions.failures(plan.assertions, destination.movements({each.path for each in plan.assertions}))
    if failures and destination.whole and not keep_going:
        raise AssertionsFailed([str(failure) for failure in failures])
    return Outcome(
        ledger_made=ledger_made,
        currencies_declared=currencies_declared,
        accounts_opened=accounts_opened,
        accounts_closed=accounts_closed,
        reconciled=reconciled,
        prices=priced,
        failures=failures,
    )


def _require_own_assertions(plan: Plan) -> None:
    """Refuse a journal that contradicts itself before a service has recorded any of it for good."""
    contradicted = [
        f"{each.place}: {each.path} on {each.date}: expected {each.expected:f} {each.currency}, "
        "which the journal's own entries do not give"
        for each in plan.assertions
        if each.fails_in_journal
    ]
    if contradicted:
        raise AssertionsFailed(contradicted)


def _recorded_before(plan: Plan, destination: Destination) -> set[str]:
    times = [each.effective_at for each in plan.transactions]
    return destination.references(min(times), max(times)) if times else set()


def _record(new: Sequence[PlannedTransaction], destination: Destination, progress: Progress) -> None:
    done = 0
    with progress(len(new)) as bar:
        for start in range(0, len(new), BATCH_SIZE):
            batch = new[start : start + BATCH_SIZE]
            try:
                _record_batch(batch, destination)
            except errors.MyappError as exc:
                if destination.whole or not done:
                    raise
                raise Stopped(
                    f"{exc}\nBefore that, {done:,} of {len(new):,} transactions were recorded, and they stay. "
                    "The same command run again goes on from there."
                ) from exc
            done += len(batch)
            bar.update(len(batch))


def _record_batch(batch: Sequence[PlannedTransaction], destination: Destination) -> None:
    try:
        destination.record([each.wanted for each in batch])
    except BatchRefused as exc:
        place = batch[exc.index or 0].place
        raise JournalError([Note(place=place, text=str(exc))]) from exc
