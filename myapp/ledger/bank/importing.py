"""Take over the lines of a statement, each once, whatever file it comes in.

With a clearing account each line becomes a transaction between the bank account and the clearing account; without
one it is kept as a line alone, for books that record on the bank account directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.db import errors as db_errors
from myapp.ledger import chunks, errors, ids, money, operations, plan, queries, upsert
from myapp.ledger.bank import accounts, fingerprints
from myapp.ledger.bank.model import Imported, NewLine, State
from myapp.ledger.bank.tables import bank_lines
from myapp.ledger.events import writing
from myapp.ledger.model import BATCH_MAX, EventType, Ledger, NewPosting, NewTransaction, Side
from myapp.ledger.recording import Form

METADATA_PREFIX = "bank."
METADATA_LENGTH_MAX = 1_000
DESCRIPTION_LENGTH_MAX = 1_000
IMPORTED_MEANWHILE = "Another import took over lines of this statement meanwhile; nothing was recorded. Repeat it."


def import_lines(
    session: Session,
    ledger: Ledger,
    account: str,
    *,
    clearing: str | None,
    lines: Sequence[NewLine],
    late: bool = False,
    now: datetime,
    form: Form,
) -> Imported:
    """Take over the lines that were not imported before, all or none, and say which those are.

    Shape: any number of lines, recorded 10,000 at a time in this one unit of work. Each counts from its day; with
    `late` those of a day that is closed count from now.
    Raises:
        UnknownAccount: one of the two accounts is not there.
        Refusal: of recording, or of an amount or currency; `index` is the place of the line.
        Conflict: another import of the same lines was faster.
    """
    held = accounts.ids_of(session, ledger, {account, clearing or account})
    # A second import of the same lines waits here, and then finds them.
    accounts.lock(session, ledger, [held[account]])
    exponents = _exponents(session, ledger, lines)
    marks = _fingerprints(lines, exponents)
    known = _read_known(session, ledger, held[account], marks)
    new = _places_of_new(marks, known)
    recorded: Sequence[UUID | None] = [None] * len(new)
    if clearing is not None:
        closed = queries.get_ledger(session, ledger.name).locked_before if late else None
        wanted = [_transaction(account, clearing, lines[place], marks[place]) for place in new]
        wanted = [_in_open_period(each, closed, now=now) for each in wanted]
        recorded = _record(session, ledger, wanted, new, now=now, form=form)
    own = {
        "ledger_id": ledger.id,
        "account_id": held[account],
        "against_id": held[clearing or account],
        "imported_at": now,
    }
    rows = [
        {**own, "id": id_, "fingerprint": marks[place], "transaction_id": transaction_id}
        | _row(lines[place], exponents[lines[place].currency])
        for place, id_, transaction_id in zip(new, ids.new_ids(now, len(new)), recorded, strict=True)
    ]
    _insert(session, rows)
    if rows:
        _announce(session, ledger, rows, {"account": account, "against": clearing or account}, now=now)
    is_new = set(new)
    return Imported(recorded=new, known=[place for place in range(len(lines)) if place not in is_new])


def _announce(
    session: Session, ledger: Ledger, rows: Sequence[dict[str, Any]], paths: Mapping[str, str], *, now: datetime
) -> None:
    """Tell of the import, and then of each line, with all of it that never changes."""
    payload = {**paths, "lines": len(rows)}
    writing.announce(session, ledger.id, EventType.BANK_LINES_IMPORTED, id=ids.new_id(now), payload=payload, now=now)
    payloads = {row["id"]: {**paths, **_payload(row)} for row in rows}
    writing.announce_recorded(session, ledger.id, EventType.BANK_LINE_IMPORTED, payloads=payloads, now=now)


def _payload(row: Mapping[str, Any]) -> Mapping[str, object]:
    transaction_id = row["transaction_id"]
    return {
        "line": str(row["id"]),
        "booked_on": row["booked_on"].isoformat(),
        "side": row["side"],
        "currency": row["currency"],
        # In the smallest unit, whose meaning never changes.
        "amount": str(row["amount"]),
        "fingerprint": row["fingerprint"],
        "details": row["details"],
        "transaction": None if transaction_id is None else str(transaction_id),
    }


def moment_of(day: date) -> datetime:
    """Return when a line of a day counts: at its first instant in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def describe(details: Mapping[str, str]) -> str | None:
    """Return one line for people out of what the bank says."""
    parts = [" ".join(details[name].split()) for name in ("counterparty", "text") if details.get(name)]
    return ": ".join(parts)[:DESCRIPTION_LENGTH_MAX] or None


def metadata(details: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the bank says as the metadata of a transaction."""
    return {f"{METADATA_PREFIX}{name}": value[:METADATA_LENGTH_MAX] for name, value in details.items()}


def _exponents(session: Session, ledger: Ledger, lines: Sequence[NewLine]) -> Mapping[str, int]:
    exponents = queries.exponents(session, ledger, {line.currency for line in lines})
    for place, line in enumerate(lines):
        if line.currency not in exponents:
            raise plan.unknown_currency(line.currency, index=place)
    return exponents


def _fingerprints(lines: Sequence[NewLine], exponents: Mapping[str, int]) -> Sequence[str]:
    for place, line in enumerate(lines):
        try:
            money.to_minor(line.amount, exponents[line.currency])
        except errors.Refusal as refusal:
            raise refusal.at(place, 0) from None
    return fingerprints.of_lines(lines, [exponents[line.currency] for line in lines])


def _read_known(session: Session, ledger: Ledger, account_id: UUID, marks: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for some in chunks.of(sorted(set(marks))):
        query = sa.select(bank_lines.c.fingerprint).where(
            bank_lines.c.ledger_id == ledger.id,
            bank_lines.c.account_id == account_id,
            bank_lines.c.fingerprint.in_(some),
        )
        known.update(session.scalars(query))
    return known


def _places_of_new(marks: Sequence[str], known: Iterable[str]) -> Sequence[int]:
    """Return the places of the lines to record: what two statements of a file share is recorded once."""
    seen = set(known)
    new = []
    for place, mark in enumerate(marks):
        if mark not in seen:
            seen.add(mark)
            new.append(place)
    return new


def _transaction(account: str, clearing: str, line: NewLine, mark: str) -> NewTransaction:
    other = Side.CREDIT if line.side is Side.DEBIT else Side.DEBIT
    return NewTransaction(
        postings=[
            NewPosting(account=account, currency=line.currency, side=line.side, amount=line.amount),
            NewPosting(account=clearing, currency=line.currency, side=other, amount=line.amount),
        ],
        reference=fingerprints.reference(account, line, mark),
        description=describe(line.details),
        effective_at=moment_of(line.booked_on),
        metadata=metadata(line.details),
    )


def _in_open_period(of: NewTransaction, locked_before: datetime | None, *, now: datetime) -> NewTransaction:
    is_late = of.effective_at is not None and locked_before is not None and of.effective_at < locked_before
    return replace(of, effective_at=now) if is_late else of


def _record(
    session: Session,
    ledger: Ledger,
    wanted: Sequence[NewTransaction],
    places: Sequence[int],
    *,
    now: datetime,
    form: Form,
) -> Sequence[UUID]:
    recorded: list[UUID] = []
    for start in range(0, len(wanted), BATCH_MAX):
        try:
            batch = operations.record(session, ledger, wanted[start : start + BATCH_MAX], now=now, form=form)
        except errors.DuplicateReference as exc:
            raise db_errors.Conflict(IMPORTED_MEANWHILE) from exc
        except errors.Refusal as refusal:
            refusal.index = places[start + (refusal.index or 0)]
            raise
        recorded.extend(transaction.id for transaction in batch.transactions)
    return recorded


def _row(line: NewLine, exponent: int) -> dict[str, Any]:
    return {
        "booked_on": line.booked_on,
        "side": line.side.value,
        "currency": line.currency,
        "amount": money.to_minor(line.amount, exponent),
        "details": dict(line.details),
        "state": State.OPEN.value,
    }


def _insert(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    insert = upsert.insert(upsert.dialect_of(session), bank_lines).on_conflict_do_nothing(
        index_elements=["ledger_id", "account_id", "fingerprint"]
    )
    # In one order, so that two imports of the same lines never wait for each other.
    ordered = sorted(rows, key=lambda row: str(row["fingerprint"]))
    inserted = session.execute(insert.returning(bank_lines.c.id), ordered).all()
    if len(inserted) < len(rows):
        raise db_errors.Conflict(IMPORTED_MEANWHILE)
