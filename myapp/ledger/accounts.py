"""Open accounts and change them.

Limits are kept on the balance row, where they are judged under the lock that moves the money: see
docs/decisions/0003-limits-on-balances.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import currencies, errors, ids, money, plan, queries, upsert
from myapp.ledger.columns import AnyRow
from myapp.ledger.currencies import Exponents
from myapp.ledger.model import Account, AccountChange, AccountType, Ledger, NewAccount, NewLimits, Side
from myapp.ledger.recording import limits as judging
from myapp.ledger.recording.request import Balance
from myapp.ledger.tables import accounts, balances

EMPTY = {"debits_posted": 0, "credits_posted": 0, "debits_pending": 0, "credits_pending": 0, "version": 0}


def open_account(session: Session, ledger: Ledger, wanted: NewAccount, *, now: datetime) -> Account:
    """Open an account, empty.

    Raises:
        AlreadyExists: the path is taken.
        UnknownCurrency, AmountPrecision, AmountOutOfRange: of its limits or currencies.
        InsufficientFunds, LimitExceeded: an empty account would be outside its own limits.
    """
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
    for code in wanted.currencies or ():
        if code not in exponents.of:
            raise plan.unknown_currency(code)
    _set_limits(session, ledger, _Holder(account_id, wanted.path, wanted.type), wanted.limits, exponents)
    return queries.get_account(session, ledger, wanted.path)


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
        NotFound: there is no such account.
        PreconditionFailed: its version is not the expected one.
        UnknownCurrency, AmountPrecision, AmountOutOfRange: of its new limits.
        InsufficientFunds, LimitExceeded: its balance is outside its new limits.
    """
    account = _lock(session, ledger, path)
    if expected_version not in (None, account.version):
        raise errors.PreconditionFailed(f"{path} has version {account.version}, not {expected_version}.")
    changed: dict[str, Any] = {"version": accounts.c.version + 1}
    if change.metadata is not None:
        changed["metadata"] = change.metadata
    if change.closed is not None:
        changed["closed_at"] = (account.closed_at or now) if change.closed else None
    is_it = (accounts.c.ledger_id == ledger.id, accounts.c.id == account.id)
    session.execute(sa.update(accounts).where(*is_it).values(changed))
    if change.limits:
        _change_limits(session, ledger, _Holder(account.id, path, AccountType(account.type)), change.limits)
    return queries.get_account(session, ledger, path)


class _Holder(NamedTuple):
    """The account whose limits are set."""

    id: UUID
    path: str
    type: AccountType


def _lock(session: Session, ledger: Ledger, path: str) -> AnyRow:
    """Read the account and keep others from changing it; what refers to it is not held up."""
    query = sa.select(accounts.c.id, accounts.c.type, accounts.c.closed_at, accounts.c.version)
    query = query.where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    return account


def _change_limits(session: Session, ledger: Ledger, holder: _Holder, wanted: Mapping[str, NewLimits | None]) -> None:
    """Replace the limits of the currencies named, and take away those of the ones named with None."""
    new = {code: limits for code, limits in wanted.items() if limits is not None}
    _set_limits(session, ledger, holder, new, currencies.read(session, ledger.id, new))
    is_unlimited = balances.c.currency.in_(sorted(wanted.keys() - new.keys()))
    is_its = sa.and_(balances.c.ledger_id == ledger.id, balances.c.account_id == holder.id)
    session.execute(sa.update(balances).where(is_its, is_unlimited).values(net_min=None, net_max=None))


def _set_limits(
    session: Session, ledger: Ledger, holder: _Holder, wanted: Mapping[str, NewLimits], exponents: Exponents
) -> None:
    """Set limits on the balances, making those that are not there, and judge them under their locks."""
    rows = {
        code: {"ledger_id": ledger.id, "account_id": holder.id, "currency": code, **EMPTY, **bounds}
        for code, limits in wanted.items()
        for bounds in [_bounds(holder.type, code, limits, exponents.of)]
    }
    currencies.use(session, ledger.id, exponents.first_used)
    if not rows:
        return
    insert = upsert.insert(upsert.dialect_of(session), balances)
    insert = insert.on_conflict_do_update(
        index_elements=["ledger_id", "account_id", "currency"],
        set_={"net_min": insert.excluded.net_min, "net_max": insert.excluded.net_max},
    )
    # In the order of Note [Lock order].
    ordered = [rows[code] for code in sorted(rows)]
    returned = session.execute(insert.returning(*(balances.c[name] for name in Balance._fields)), ordered)
    after = {row.currency: Balance(*row) for row in returned}
    for code in wanted:
        refused = judging.refuse(holder.type, after[code], judging.net(after[code]), holder.path)
        if refused is not None:
            raise refused


def _bounds(
    account_type: AccountType, code: str, limits: NewLimits, exponents: Mapping[str, int]
) -> Mapping[str, int | None]:
    """Return the limits, given in the account's normal direction, as bounds of its debits less credits."""
    if code not in exponents:
        raise plan.unknown_currency(code)
    low, high = (
        None if bound is None else money.to_minor(bound, exponents[code]) for bound in (limits.min, limits.max)
    )
    if account_type.normal_side is Side.CREDIT:
        low, high = _negative(high), _negative(low)
    return {"net_min": low, "net_max": high}


def _negative(bound: int | None) -> int | None:
    return None if bound is None else -bound
