"""Open accounts, change them, close them."""

# Note [Closing an account]
# Nothing lands on an account once its close is acknowledged, although recording reads accounts without a lock. It then
# meets one of two things. A balance that is there says itself whether it is closed, under its own lock. One that is
# new has to share-lock its account for its foreign key, so it waits for a close in progress, and recording reads the
# account once more. A close therefore locks, in this order: the account against other changes; its balances, by
# currency; the account against new balances. With them all it marks every balance there is.

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import bounds, currencies, errors, ids, plan, queries, upsert, words
from myapp.ledger.columns import AnyRow
from myapp.ledger.events import writing
from myapp.ledger.model import Account, AccountChange, AccountType, EventType, Ledger, NewAccount, NewLimits
from myapp.ledger.tables import accounts, balances


def open_account(session: Session, ledger: Ledger, wanted: NewAccount, *, now: datetime) -> Account:
    """Open an account, empty.

    Raises:
        InvalidValue: its path, currencies or limits have no sense.
        AlreadyExists: the path is taken.
        UnknownCurrency, AmountPrecision, AmountOutOfRange, CurrencyNotAllowed: of its limits or currencies.
        InsufficientFunds, LimitExceeded: an empty account would be outside its own limits.
    """
    words.check_account(wanted)
    account_id = ids.new_id(now)
    insert = upsert.insert(upsert.dialect_of(session), accounts).values(
        ledger_id=ledger.id,
        id=account_id,
        path=wanted.path,
        type=wanted.type.value,
        currencies=None if wanted.currencies is None else list(wanted.currencies),
        metadata=wanted.metadata,
        version=1,
        created_at=now,
    )
    insert = insert.on_conflict_do_nothing(index_elements=["ledger_id", "path"])
    if session.scalar(insert.returning(accounts.c.id)) is None:
        raise errors.AlreadyExists(f"There is an account {wanted.path} already.")
    exponents = currencies.read(session, ledger.id, {*(wanted.currencies or ()), *wanted.limits})
    for place, code in enumerate(wanted.currencies or ()):
        if code not in exponents.of:
            raise plan.unknown_currency(code).within("currencies", str(place))
    holder = bounds.Holder(
        id=account_id, path=wanted.path, type=wanted.type, currencies=wanted.currencies, is_closed=False
    )
    bounds.put(session, ledger, holder, wanted.limits, exponents)
    return _announced(session, ledger, EventType.ACCOUNT_OPENED, wanted.path, now=now)


def change_account(
    session: Session,
    ledger: Ledger,
    path: str,
    change: AccountChange,
    *,
    expected_version: int | None,
    now: datetime,
) -> Account:
    """Change an account's limits, metadata or whether it takes postings.

    Raises:
        InvalidValue: its new limits have no sense.
        NotFound: there is no such account.
        PreconditionFailed: its version is not the expected one.
        UnknownCurrency, AmountPrecision, AmountOutOfRange, CurrencyNotAllowed: of its new limits.
        InsufficientFunds, LimitExceeded: its balance is outside its new limits.
    """
    words.check_limits(change.limits or {})
    account = _lock(session, ledger, path)
    if expected_version not in (None, account.version):
        raise errors.PreconditionFailed(f"{path} has version {account.version}, not {expected_version}.")
    changed: dict[str, Any] = {"version": accounts.c.version + 1}
    if change.metadata is not None:
        changed["metadata"] = change.metadata
    if change.closed is not None:
        changed["closed_at"] = (account.closed_at or now) if change.closed else None
    if change.limits:
        # Before the balances, as everyone does. See Note [Lock order] in recording/steps.py.
        codes = [code for code, limits in change.limits.items() if limits is not None]
        currencies.use(session, ledger.id, currencies.read(session, ledger.id, codes).first_used)
    if change.limits or change.closed is not None:
        _lock_balances(session, ledger, account.id)
    if change.limits:
        _change_limits(session, ledger, account, change.limits)
    if change.closed is not None:
        _mark_balances(session, ledger, account.id, closed=change.closed)
    session.execute(sa.update(accounts).where(_is_it(ledger, account.id)).values(changed))
    return _announced(session, ledger, EventType.ACCOUNT_CHANGED, path, now=now)


def _announced(session: Session, ledger: Ledger, kind: EventType, path: str, *, now: datetime) -> Account:
    """Read the account as it is now, and announce it."""
    account = queries.get_account(session, ledger, path)
    payload = {
        "path": path,
        "type": account.type.value,
        "closed": account.closed_at is not None,
        "currencies": account.currencies,
        # In the smallest unit, which never changes its meaning.
        "limits": {code: {"min": each.min_minor, "max": each.max_minor} for code, each in account.limits.items()},
        "metadata": account.metadata,
        "version": account.version,
    }
    # What was opened is known by the id of its event, and so is sealed with it.
    event_id = account.id if kind is EventType.ACCOUNT_OPENED else ids.new_id(now)
    writing.announce(session, ledger.id, kind, id=event_id, payload=payload, now=now)
    return account


def _lock(session: Session, ledger: Ledger, path: str) -> AnyRow:
    """Read the account and keep others from changing it; what refers to it is not held up."""
    names = ("id", "path", "type", "currencies", "closed_at", "version")
    query = sa.select(*(accounts.c[name] for name in names))
    query = query.where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    return account


def _lock_balances(session: Session, ledger: Ledger, account_id: UUID) -> None:
    """Lock the balances in the order of Note [Lock order]."""
    query = sa.select(balances.c.currency).where(_is_its(ledger, account_id)).order_by(balances.c.currency)
    session.execute(query.with_for_update(key_share=True)).all()


def _change_limits(session: Session, ledger: Ledger, account: AnyRow, wanted: Mapping[str, NewLimits | None]) -> None:
    holder = bounds.Holder(
        id=account.id,
        path=account.path,
        type=AccountType(account.type),
        currencies=account.currencies,
        is_closed=account.closed_at is not None,
    )
    bounds.change(session, ledger, holder, wanted)


def _mark_balances(session: Session, ledger: Ledger, account_id: UUID, *, closed: bool) -> None:
    """Keep new balances from being made, and mark those there are. See Note [Closing an account]."""
    session.execute(sa.select(accounts.c.id).where(_is_it(ledger, account_id)).with_for_update()).all()
    session.execute(sa.update(balances).where(_is_its(ledger, account_id)).values(closed=closed))


def _is_it(ledger: Ledger, account_id: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(accounts.c.ledger_id == ledger.id, accounts.c.id == account_id)


def _is_its(ledger: Ledger, account_id: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(balances.c.ledger_id == ledger.id, balances.c.account_id == account_id)
