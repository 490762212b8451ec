"""Bank statements of a real ledger, in the model's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from myapp.ledger import bank, queries
from myapp.ledger.model import Transaction
from tests.reference.bank import Decision, Statement
from tests.reference.book import Record
from tests.reference.real import Real


class RealWithBank(Real):
    """A real ledger with the lines of its statements; they are at the same places as the model's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lines: list[UUID] = []

    def import_lines(self, wanted: Statement, *, now: datetime) -> tuple[Sequence[int], Sequence[int]]:
        with self.unit_of_work() as (session, ledger):
            done = bank.import_lines(
                session,
                ledger,
                wanted.account,
                clearing=wanted.clearing,
                lines=wanted.lines,
                late=wanted.late,
                now=now,
                form=self.form,
            )
            found = bank.list_lines(session, ledger, wanted.account, limit=1000)
        # Their ids are in the order of their places.
        new = sorted((line for line in found if line.id not in self.lines), key=lambda line: line.id)
        self.lines += [line.id for line in new]
        self.ids += [line.transaction_id for line in new if line.transaction_id is not None]
        return done.recorded, done.known

    def match(self, account: str, *, days: int, now: datetime) -> tuple[int, int, int, int]:
        with self.unit_of_work() as (session, ledger):
            run = bank.match(session, ledger, account, days=days, now=now)
        return run.matched, run.proposed, run.open, run.reopened

    def accept(self, wanted: Decision, *, now: datetime) -> None:
        named = None if wanted.transaction is None else self.named(wanted.transaction)
        with self.unit_of_work() as (session, ledger):
            bank.accept(session, ledger, self.line_id(wanted.line), transaction_id=named, now=now)

    def record_missing(self, wanted: Decision, *, now: datetime) -> None:
        with self.unit_of_work() as (session, ledger):
            line = bank.record_missing(
                session,
                ledger,
                self.line_id(wanted.line),
                to=wanted.to,
                effective_at=wanted.effective_at,
                now=now,
                form=self.form,
            )
        assert line.match is not None
        self.ids.append(line.match.transaction_id)

    def reject(self, wanted: Decision, *, now: datetime) -> None:
        named = None if wanted.transaction is None else self.named(wanted.transaction)
        with self.unit_of_work() as (session, ledger):
            bank.reject(session, ledger, self.line_id(wanted.line), transaction_id=named, now=now)

    def bank_lines(self) -> Sequence[object]:
        with self.unit_of_work(readonly=True) as (session, ledger):
            accounts = [each.path for each in queries.list_accounts(session, ledger, after=None, limit=1000)]
            found = {path: bank.list_lines(session, ledger, path, limit=1000) for path in accounts}
        return [self.as_line_seen(line) for path in accounts for line in found[path]]

    def as_line_seen(self, line: bank.Line) -> object:
        match = line.match
        return (
            self.lines.index(line.id),
            line.account,
            line.against,
            line.booked_on,
            line.side,
            line.currency,
            line.amount_minor,
            line.details,
            line.state.value,
            self.place_of(line.transaction_id),
            None if match is None else (self.ids.index(match.transaction_id), match.posting_line),
            None if match is None else match.how.value,
            {(self.ids.index(each.transaction_id), each.posting_line) for each in line.proposals},
        )

    def as_record(self, transaction: Transaction) -> Record:
        """Name what names a line by its place, and what the import calls its transactions by one word."""
        record = super().as_record(transaction)
        if (record.reference or "").startswith("bank:"):
            record = replace(record, reference="bank")
        named = record.metadata.get("bank.line")
        if named is None:
            return record
        place = self.lines.index(UUID(named))
        return replace(record, metadata={**record.metadata, "bank.line": f"line {place}"})

    def line_id(self, place: int) -> UUID:
        return self.lines[place] if place < len(self.lines) else self.id_of(None)

    def named(self, place: int) -> UUID:
        return self.ids[place] if place < len(self.ids) else self.id_of(None)
