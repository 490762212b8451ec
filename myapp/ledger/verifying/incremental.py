"""Run a verification of what is new, and remember how far it came.

After so many events the days they touched are compared, and the checkpoint moves on; a run that is stopped goes on from
there. Once something does not hold the checkpoint stays, so that the next run finds it again. So it does while a bank
line is not as an event left it, until a later event says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger.grains import Grain
from myapp.ledger.model import Ledger
from myapp.ledger.verifying import bank, check, checkpoints, totals, walk
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.checkpoints import Checkpoint

# Days are compared whole, so this bounds how often a busy day is read again in one long run.
LAP_EVENTS = 100_000

# Opens a unit of work: one that reads, at REPEATABLE READ; one that writes.
Opening = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What an incremental run says: of the events after `start`, up to `reached`."""

    start: Checkpoint
    reached: Checkpoint
    checks: list[Check]


@dataclass(slots=True)
class _Lap:
    """What was walked since the days were last compared."""

    days: dict[date, set[UUID]] = field(default_factory=dict)
    events: int = 0


class _Unsettled:
    """The bank lines that are not as the last event walked left them, so that a later one has to say why."""

    def __init__(self) -> None:
        self._lines: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def note(self, settled: Mapping[str, bool]) -> None:
        for line, is_settled in settled.items():
            (self._lines.discard if is_settled else self._lines.add)(line)

    def violations(self, reading: Opening, ledger: Ledger, reached: Checkpoint) -> Sequence[str]:
        """Return what is wrong with those that no later event is about."""
        if not self._lines:
            return []
        with reading() as session:
            self._lines -= bank.lines_told_after(session, ledger, reached.last_seq)
        return [bank.unlike_its_event(line) for line in sorted(self._lines)]


def run(reading: Opening, writing: Opening, ledger: Ledger, *, now: datetime, progress: Callable[[int], None]) -> Run:
    """Verify the events since the checkpoint, and move it if all holds; `progress` is told each number reached."""
    with reading() as session:
        start = reached = checkpoints.find(session, ledger)
    violations: dict[str, list[str]] = {name: [] for name in (*walk.NAMES, totals.DAYS, totals.MONTHS)}
    compared = {"events": 0, "postings": 0}
    lap = _Lap()
    unsettled = _Unsettled()
    is_last = False
    while not is_last:
        with reading() as session:
            walked = walk.walk(session, ledger, reached)
        reached, is_last = walked.reached, walked.is_last
        for name, found in walked.violations.items():
            violations[name] += found
        for day, account_id in walked.days:
            lap.days.setdefault(day, set()).add(account_id)
        lap.events += walked.events
        unsettled.note(walked.settled)
        compared["events"] += walked.events
        compared["postings"] += walked.postings
        progress(reached.last_seq)
        if is_last or lap.events >= LAP_EVENTS:
            violations[totals.DAYS] += _compare_days(reading, ledger, lap)
            violations[totals.MONTHS] += _compare_months(reading, ledger, lap)
            if is_last:
                violations[bank.MATCHES] += unsettled.violations(reading, ledger, reached)
            may_save = is_last or not unsettled
            if may_save and reached != start and not any(violations.values()):
                with writing() as session:
                    checkpoints.save(session, ledger, reached, now=now)
            lap = _Lap()
    checks = [check.of(name, compared, found) for name, found in violations.items()]
    return Run(start=start, reached=reached, checks=checks)


def _compare_days(reading: Opening, ledger: Ledger, lap: _Lap) -> Iterator[str]:
    for day, account_ids in sorted(lap.days.items()):
        with reading() as session:
            yield from totals.violations_of_day(session, ledger, day, sorted(account_ids))


def _compare_months(reading: Opening, ledger: Ledger, lap: _Lap) -> Iterator[str]:
    months: dict[date, set[UUID]] = {}
    for day, account_ids in lap.days.items():
        months.setdefault(Grain.MONTH.of(day), set()).update(account_ids)
    for month, account_ids in sorted(months.items()):
        with reading() as session:
            yield from totals.violations_of_month(session, ledger, month, sorted(account_ids))
