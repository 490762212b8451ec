"""What an import says at its end, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from myapp.scripts.importing.dump import Dump
from myapp.scripts.importing.loading import Outcome
from myapp.scripts.importing.plan import Note, Plan
from myapp.scripts.importing.replaying import Replayed

NOTES_SHOWN = 20
GONE_SHOWN = 5


def lines(plan: Plan, outcome: Outcome, *, ledger: str, seconds: float, all_notes: bool) -> Iterator[str]:
    """Yield the summary, line by line."""
    found = outcome.reconciled
    yield f"Ledger {ledger}{' (new)' if outcome.ledger_made else ''}, in {seconds:.1f} seconds"
    yield f"  currencies    {_new_and_there(outcome.currencies_declared, len(plan.currencies), 'declared')}"
    yield f"  accounts      {_new_and_there(outcome.accounts_opened, len(plan.accounts), 'opened')}" + _closed(outcome)
    yield f"  transactions  {len(found.new):,} recorded, {found.there + len(found.reworded):,} already there"
    if plan.prices:
        yield (
            f"  prices        {outcome.prices.recorded:,} recorded, {outcome.prices.there:,} already there"
            + _unknown(outcome)
        )
    yield f"  assertions    {len(plan.assertions) - len(outcome.failures):,} hold, {len(outcome.failures):,} fail"
    if plan.left_out:
        yield f"  left out      {', '.join(f'{kind} {count:,}' for kind, count in sorted(plan.left_out.items()))}"
    if found.reworded:
        yield f"{len(found.reworded):,} of those already there have other words in the ledger, which keeps them."
    yield from _gone(found.gone)
    yield from _notes(plan.notes, all_notes=all_notes)
    yield from _failures(outcome)


def of_replay(found: Dump, done: Replayed, *, ledger: str, seconds: float) -> Iterator[str]:
    """Yield the summary of a ledger that was loaded."""
    yield f"Ledger {ledger}{' (new)' if done.ledger_made else ''}, in {seconds:.1f} seconds"
    yield f"  currencies    {_new_and_there(done.currencies_declared, len(found.currencies), 'declared')}"
    yield f"  accounts      {_new_and_there(done.accounts_opened, len(found.accounts), 'opened')}"
    yield f"  transactions  {_new_and_there(done.transactions, found.total.transactions, 'recorded')}"
    yield f"  prices        {_new_and_there(done.prices, found.total.prices, 'recorded')}"


def _new_and_there(new: int, wanted: int, verb: str) -> str:
    return f"{new:,} {verb}, {wanted - new:,} already there"


def _closed(outcome: Outcome) -> str:
    return f", {outcome.accounts_closed:,} closed" if outcome.accounts_closed else ""


def _unknown(outcome: Outcome) -> str:
    count = outcome.prices.unknown
    return f", {count:,} in currencies that the ledger does not have" if count else ""


def _gone(gone: Sequence[str]) -> Iterator[str]:
    if gone:
        yield f"{len(gone):,} transactions of earlier imports are not in this journal: changed or removed since, or of"
        yield "another journal. The ledger keeps them; where they count twice, record the reverse. Their references:"
        yield from (f"  {reference}" for reference in gone[:GONE_SHOWN])
        if len(gone) > GONE_SHOWN:
            yield f"  and {len(gone) - GONE_SHOWN:,} more"


def _notes(notes: Sequence[Note], *, all_notes: bool) -> Iterator[str]:
    shown = notes if all_notes else notes[:NOTES_SHOWN]
    if shown:
        yield "Notes:"
        yield from (f"  {note}" for note in shown)
    if len(notes) > len(shown):
        yield f"  and {len(notes) - len(shown):,} more; --all-notes shows them"


def _failures(outcome: Outcome) -> Iterator[str]:
    if outcome.failures:
        yield "Assertions that do not hold:"
        yield from (f"  {failure}" for failure in outcome.failures)
