"""What may be changed (an account, a ledger, what a currency was declared as) is what its last event says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import currencies as iso
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Ledger, Side
from myapp.ledger.sealing import canonical
from myapp.ledger.tables import accounts, balances, currencies, events, ledgers
from myapp.ledger.verifying import check, payloads
from myapp.ledger.verifying.check import Check

ACCOUNTS = "accounts-agree"
SETTINGS = "settings-agree"

OPENED = "account.opened"
OF_ACCOUNT = (OPENED, "account.changed")
CREATED = "ledger.created"
OF_LEDGER = (CREATED, "ledger.changed")
DECLARED = "currency.declared"

State = Mapping[str, Any]


def accounts_agree(session: Session, ledger: Ledger) -> Check:
    """Each account, with the limits of its balances, is as its events left it."""
    said, violations = _fold(_events(session, ledger, OF_ACCOUNT))
    limits, marks = _of_balances(session, ledger)
    is_complete = _has_event(session, ledger, CREATED)
    count = 0
    for row in session.execute(sa.select(accounts).where(accounts.c.ledger_id == ledger.id).order_by(accounts.c.path)):
        count += 1
        state = said.pop(row.path, None)
        if state is not None:
            there = _state(row, limits.get(row.id, {}))
            violations += [f"{row.path}: {each} is not as its last event says" for each in _different(there, state)]
        elif is_complete:
            violations.append(f"{row.path} was opened by no event")
        if marks.get(row.id, set()) - {row.closed_at is not None}:
            violations.append(f"{row.path}: its balances do not say whether it is closed")
    violations += [f"{path} is gone" for path in said]
    return check.of(ACCOUNTS, {"accounts": count}, violations)


def settings_agree(session: Session, ledger: Ledger) -> Check:
    """The ledger is as its events left it, and each currency as it was declared, or as ISO 4217 has it."""
    state: dict[str, Any] = {}
    types = set()
    violations = []
    for event in _events(session, ledger, OF_LEDGER):
        types.add(event.type)
        if not _follows(payloads.of(event), state):
            violations.append(f"event {event.id} does not continue the ledger's one before")
        if event.type == CREATED:
            state |= {"created_at": canonical.time(event.recorded_at), "locked_before": None}
        state |= payloads.of(event)
    if "locked_before" in state:
        state["locked_before"] = _time(state["locked_before"])
    row = session.execute(sa.select(ledgers).where(ledgers.c.id == ledger.id)).one_or_none()
    if row is None:
        return check.of(SETTINGS, {}, ["the ledger is gone"])
    there = {
        "name": row.name,
        "metadata": row.metadata,
        "version": row.version,
        "locked_before": canonical.time(row.locked_before),
        "created_at": canonical.time(row.created_at),
    }
    violations += [f"the ledger's {each} is not as its last event says" for each in _different(there, state)]
    declared, found = _declared(_events(session, ledger, (DECLARED,)))
    violations += found
    query = sa.select(currencies.c.code, currencies.c.exponent).where(currencies.c.ledger_id == ledger.id)
    held = {row.code: row.exponent for row in session.execute(query.order_by(currencies.c.code))}
    known = {**iso.iso_exponents(), **declared}
    for code, exponent in held.items():
        # What was declared before there were events has none.
        if known.get(code, exponent if CREATED not in types else None) != exponent:
            violations.append(f"{code} has another exponent than was declared")
    violations += [f"{code} was declared, and is gone" for code in declared if code not in held]
    return check.of(SETTINGS, {"currencies": len(held)}, violations)


def _events(session: Session, ledger: Ledger, types: Sequence[str]) -> Iterator[AnyRow]:
    """Yield these events in the order in which they were written; those of one account were in each other's way."""
    query = sa.select(events.c.id, events.c.type, events.c.payload, events.c.recorded_at)
    query = query.where(events.c.ledger_id == ledger.id, events.c.type.in_(types))
    yield from session.execute(query.order_by(events.c.place))


def _has_event(session: Session, ledger: Ledger, type_: str) -> bool:
    query = sa.select(events.c.id).where(events.c.ledger_id == ledger.id, events.c.type == type_).limit(1)
    return session.execute(query).one_or_none() is not None


def _fold(told: Iterable[AnyRow]) -> tuple[dict[str, State], list[str]]:
    """Return the state that its events leave each account in, by path, and which events continue no other."""
    states: dict[str, State] = {}
    violations = []
    for event in told:
        payload = payloads.of(event)
        path = payload.get("path")
        if not isinstance(path, str):
            violations.append(f"event {event.id} opens or changes no account")
            continue
        if not _follows(payload, states.get(path, {})):
            violations.append(f"event {event.id} does not continue the one before of {path}")
        before = states.get(path, {"id": event.id, "created_at": canonical.time(event.recorded_at)})
        # It was closed by the first event since when it is.
        closed_at = before.get("closed_at") or canonical.time(event.recorded_at)
        states[path] = {
            **before,
            **{name: payload.get(name) for name in ("type", "currencies", "metadata", "version", "limits")},
            "closed_at": closed_at if payload.get("closed") else None,
        }
    return states, violations


def _declared(told: Iterable[AnyRow]) -> tuple[dict[str, object], list[str]]:
    """Return the exponent each currency was declared with, by code, and which events declare none, or one again."""
    declared: dict[str, object] = {}
    violations = []
    for event in told:
        payload = payloads.of(event)
        code = payload.get("code")
        if not isinstance(code, str):
            violations.append(f"event {event.id} declares no currency")
            continue
        if code in declared:
            violations.append(f"event {event.id} declares {code} again")
        declared[code] = payload.get("exponent")
    return declared, violations


def _follows(payload: State, before: State) -> bool:
    """Say whether a change is the next one; the first that there is may be of what is older than events."""
    version, last = payload.get("version"), before.get("version", 0)
    return isinstance(version, int) and isinstance(last, int) and (not before or version == last + 1)


def _time(said: object) -> object:
    """Return a time as rows are spelled; what is none as it is."""
    try:
        return canonical.time(datetime.fromisoformat(said)) if isinstance(said, str) else said
    except ValueError:
        return said


def _of_balances(
    session: Session, ledger: Ledger
) -> tuple[Mapping[UUID, dict[str, tuple[int | None, int | None]]], Mapping[UUID, set[bool]]]:
    """Return the bounds of each account's balances, by currency, and what they say of its being closed."""
    bounds: dict[UUID, dict[str, tuple[int | None, int | None]]] = {}
    marks: dict[UUID, set[bool]] = {}
    names = ("account_id", "currency", "net_min", "net_max", "closed")
    query = sa.select(*(balances.c[name] for name in names)).where(balances.c.ledger_id == ledger.id)
    for row in session.execute(query):
        marks.setdefault(row.account_id, set()).add(row.closed)
        if (row.net_min, row.net_max) != (None, None):
            bounds.setdefault(row.account_id, {})[row.currency] = (row.net_min, row.net_max)
    return bounds, marks


def _state(row: AnyRow, bounds: Mapping[str, tuple[int | None, int | None]]) -> State:
    is_debit = AccountType(row.type).normal_side is Side.DEBIT
    return {
        "id": row.id,
        "type": row.type,
        "currencies": row.currencies,
        "metadata": row.metadata,
        "version": row.version,
        "closed_at": canonical.time(row.closed_at),
        "created_at": canonical.time(row.created_at),
        "limits": {code: _limits(*both, is_debit=is_debit) for code, both in bounds.items()},
    }


def _limits(low: int | None, high: int | None, *, is_debit: bool) -> dict[str, int | None]:
    """Turn the bounds of debits less credits into the account's normal direction, as its events have them."""
    if not is_debit:
        low, high = (None if bound is None else -bound for bound in (high, low))
    return {"min": low, "max": high}


def _different(there: State, said: State) -> list[str]:
    return [name for name, value in said.items() if there.get(name) != value]
