"""The accounts a request names, and what they and the ledger alone refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.plan import Slot
from myapp.ledger.recording import refusals
from myapp.ledger.recording.request import Balance, Request
from myapp.ledger.tables import accounts, ledgers

# From the ledger outwards, so that a request without one known account still learns the open period.
IS_NAMED = sa.and_(
    accounts.c.ledger_id == sa.bindparam("of_ledger"), accounts.c.path.in_(sa.bindparam("paths", expanding=True))
)
NAMED = (
    sa.select(
        *(accounts.c.path, accounts.c.id, accounts.c.type, accounts.c.closed_at, accounts.c.currencies),
        ledgers.c.locked_before,
    )
    .outerjoin_from(ledgers, accounts, IS_NAMED)
    .where(ledgers.c.id == sa.bindparam("of_ledger"))
)
# See Note [Closing a period] in periods.py.
LATE = (
    sa.select(ledgers.c.id).where(ledgers.c.id == sa.bindparam("of_ledger")).with_for_update(read=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class Parties:
    """The accounts of a request by path, and the start of the ledger's open period."""

    accounts: Mapping[str, AnyRow]
    locked_before: datetime | None


def read(session: Session, request: Request) -> Parties:
    """Read the accounts that the request names, and lock none; the ledger where something in the request is late."""
    if request.is_late:
        session.execute(LATE, {"of_ledger": request.ledger.id}).all()
    paths = sorted({slot.path for slot in request.plan.slots})
    of = {"of_ledger": request.ledger.id}
    rows = [row for some in chunks.of(paths) for row in session.execute(NAMED, {**of, "paths": some})]
    return Parties({row.path: row for row in rows if row.path is not None}, rows[0].locked_before)


def check(request: Request, parties: Parties) -> None:
    """Check everything that the accounts and the ledger alone decide, one thing after the other.

    Raises:
        UnknownAccount, AccountClosed, CurrencyNotAllowed, PeriodLocked: in this order, each for its first line.
    """
    for find_fault in (_unknown, _closed, _not_allowed):
        faults = [find_fault(slot, parties.accounts.get(slot.path)) for slot in request.plan.slots]
        if any(faults):
            raise _first(request, faults)
    for index, entry in enumerate(request.entries):
        if parties.locked_before is not None and entry.effective_at < parties.locked_before:
            detail = f"Nothing is recorded before {parties.locked_before.isoformat()} any more."
            raise errors.PeriodLocked(detail, index=index)


def check_again(session: Session, request: Request, moved: Sequence[Balance | None]) -> None:
    """Check once more what a concurrent close may have changed since; see Note [Closing an account] in accounts.py.

    `moved` has the balance of each slot, locked by this request; None where a counter would overflow.
    Raises: what `check` does; Conflict where a balance is closed and its account is not.
    """
    slots = list(zip(request.plan.slots, moved, strict=True))
    if all(_is_surely_open(slot, balance) for slot, balance in slots):
        return
    check(request, read(session, request))
    if any(balance is not None and balance.closed and not slot.gives_back for slot, balance in slots):
        raise refusals.gone()


def _is_surely_open(slot: Slot, balance: Balance | None) -> bool:
    # A balance with no other postings than those of this request may be new.
    return balance is not None and (slot.gives_back or (not balance.closed and balance.version > slot.total.lines))


def _unknown(slot: Slot, account: AnyRow | None) -> errors.Refusal | None:
    return errors.UnknownAccount(f"There is no account {slot.path}.") if account is None else None


def _closed(slot: Slot, account: AnyRow | None) -> errors.Refusal | None:
    # What a closed account still holds can be given back.
    is_closed = account is not None and account.closed_at is not None and not slot.gives_back
    return errors.AccountClosed(f"{slot.path} is closed.") if is_closed else None


def _not_allowed(slot: Slot, account: AnyRow | None) -> errors.Refusal | None:
    allowed = None if account is None else account.currencies
    if allowed is None or slot.currency in allowed:
        return None
    return errors.CurrencyNotAllowed(f"{slot.path} takes {', '.join(allowed) or 'nothing'}, not {slot.currency}.")


def _first(request: Request, faults: Sequence[errors.Refusal | None]) -> errors.Refusal:
    """Return the fault of the first line whose slot has one."""
    for line in request.plan.lines:
        fault = faults[line.slot]
        if fault is not None:
            return fault.at(line.transaction, line.line)
    raise AssertionError("A slot without a line.")
