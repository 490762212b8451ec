"""Read accounts with their balances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Account, AccountType, Counters, Ledger, Limits, Side
from myapp.ledger.queries import history

accounts, balances = tables.accounts, tables.balances

# The last code point: no path that begins with a prefix sorts after the prefix and this.
LAST = "\U0010ffff"


def get_account(session: Session, ledger: Ledger, path: str) -> Account:
    """Raises: NotFound."""
    query = sa.select(accounts).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    found = _with_balances(session, ledger, session.execute(query).all())
    if not found:
        raise errors.NotFound(f"There is no account {path}.")
    return found[0]


def list_accounts(
    session: Session,
    ledger: Ledger,
    *,
    prefix: str | None = None,
    type: AccountType | None = None,  # noqa: A002
    at: datetime | None = None,
    known_at: datetime | None = None,
    after: str | None,
    limit: int,
) -> Sequence[Account]:
    """List accounts by path, from the one after the path `after`.

    With `at` or `known_at` their balances are those of `balances_at`; the accounts and their limits are those of now.
    """
    query = sa.select(accounts).where(accounts.c.ledger_id == ledger.id)
    if prefix:
        query = query.where(accounts.c.path >= prefix, accounts.c.path < prefix + LAST)
    if type is not None:
        query = query.where(accounts.c.type == type.value)
    if after is not None:
        query = query.where(accounts.c.path > after)
    found = _with_balances(session, ledger, session.execute(query.order_by(accounts.c.path).limit(limit)).all())
    if at is None and known_at is None:
        return found
    return _at(session, ledger, found, at=at, known_at=known_at)


def _at(
    session: Session, ledger: Ledger, found: Sequence[Account], *, at: datetime | None, known_at: datetime | None
) -> Sequence[Account]:
    held = history.balances_at(session, ledger, [account.id for account in found], at=at, known_at=known_at)
    of: dict[UUID, dict[str, Counters]] = {}
    for (account_id, currency), counters in sorted(held.items()):
        of.setdefault(account_id, {})[currency] = counters
    return [replace(account, balances=of.get(account.id, {})) for account in found]


def _with_balances(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Sequence[Account]:
    held = _read_balances(session, ledger, [row.id for row in rows])
    return [_account(row, held.get(row.id, ())) for row in rows]


def _read_balances(session: Session, ledger: Ledger, account_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[AnyRow]]:
    if not account_ids:
        return {}
    query = sa.select(balances).where(balances.c.ledger_id == ledger.id, balances.c.account_id.in_(account_ids))
    held: dict[UUID, list[AnyRow]] = {}
    for row in session.execute(query.order_by(balances.c.account_id, balances.c.currency)):
        held.setdefault(row.account_id, []).append(row)
    return held


def _account(row: AnyRow, held: Sequence[AnyRow]) -> Account:
    account_type = AccountType(row.type)
    return Account(
        id=row.id,
        path=row.path,
        type=account_type,
        currencies=row.currencies,
        limits={balance.currency: limits for balance in held if (limits := _limits(account_type, balance)) != Limits()},
        balances={balance.currency: _counters(balance) for balance in held if _is_shown(balance)},
        balance_versions={balance.currency: balance.version for balance in held if _is_shown(balance)},
        metadata=row.metadata,
        closed_at=row.closed_at,
        version=row.version,
        created_at=row.created_at,
    )


def _is_shown(balance: AnyRow) -> bool:
    return bool(balance.version) or balance.net_min is not None or balance.net_max is not None


def _limits(account_type: AccountType, balance: AnyRow) -> Limits:
    """Turn the bounds of debits less credits back into the account's normal direction."""
    low, high = balance.net_min, balance.net_max
    if account_type.normal_side is Side.CREDIT:
        low, high = (None if bound is None else -bound for bound in (high, low))
    return Limits(min_minor=low, max_minor=high)


def _counters(balance: AnyRow) -> Counters:
    return Counters(
        debits_posted=balance.debits_posted,
        credits_posted=balance.credits_posted,
        debits_pending=balance.debits_pending,
        credits_pending=balance.credits_pending,
    )
