"""Set the limits of an account.

Limits are kept on the balance row, where they are judged under the lock that moves the money: see
docs/decisions/0003-limits-on-balances.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import currencies, errors, money, plan, upsert
from myapp.ledger.currencies import Exponents
from myapp.ledger.model import AccountType, Ledger, NewLimits, Side
from myapp.ledger.recording import limits as judging
from myapp.ledger.recording.request import Balance
from myapp.ledger.tables import balances

EMPTY = {"debits_posted": 0, "credits_posted": 0, "debits_pending": 0, "credits_pending": 0, "version": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The account whose limits are set, as it is before; without `currencies` it takes any."""

    id: UUID
    path: str
    type: AccountType
    currencies: Collection[str] | None
    is_closed: bool


def change(session: Session, ledger: Ledger, holder: Holder, wanted: Mapping[str, NewLimits | None]) -> None:
    """Replace the limits of the currencies named, and take away those of the ones named with None.

    Raises:
        UnknownCurrency, AmountPrecision, AmountOutOfRange, CurrencyNotAllowed: of the limits alone.
        InsufficientFunds, LimitExceeded: a balance is outside its limits.
    """
    new = {code: limits for code, limits in wanted.items() if limits is not None}
    put(session, ledger, holder, new, currencies.read(session, ledger.id, new))
    is_unlimited = balances.c.currency.in_(sorted(wanted.keys() - new.keys()))
    is_its = sa.and_(balances.c.ledger_id == ledger.id, balances.c.account_id == holder.id)
    session.execute(sa.update(balances).where(is_its, is_unlimited).values(net_min=None, net_max=None))


def put(
    session: Session, ledger: Ledger, holder: Holder, wanted: Mapping[str, NewLimits], exponents: Exponents
) -> None:
    """Set limits on the balances, making those that are not there, and judge them under their locks.

    Raises: as `change`.
    """
    own = {"ledger_id": ledger.id, "account_id": holder.id, "closed": holder.is_closed}
    rows = {
        code: {**own, "currency": code, **EMPTY, **_bounds(holder.type, code, limits, exponents.of)}
        for code, limits in wanted.items()
    }
    for code in wanted:
        if holder.currencies is not None and code not in holder.currencies:
            detail = f"{holder.path} takes {', '.join(holder.currencies)}, not {code}."
            raise errors.CurrencyNotAllowed(detail).within("limits", code)
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
        refused = judging.refuse(holder.type, after[code], holder.path)
        if refused is not None:
            raise refused.within("limits", code, "min" if isinstance(refused, errors.InsufficientFunds) else "max")


def _bounds(
    account_type: AccountType, code: str, limits: NewLimits, exponents: Mapping[str, int]
) -> Mapping[str, int | None]:
    """Return the limits, given in the account's normal direction, as bounds of its debits less credits."""
    if code not in exponents:
        raise plan.unknown_currency(code).within("limits", code)
    low = _minor(limits.min, exponents[code], code, "min")
    high = _minor(limits.max, exponents[code], code, "max")
    if account_type.normal_side is Side.CREDIT:
        low, high = _negative(high), _negative(low)
    return {"net_min": low, "net_max": high}


def _minor(bound: Decimal | None, exponent: int, code: str, end: str) -> int | None:
    try:
        return None if bound is None else money.to_minor(bound, exponent)
    except errors.Refusal as refusal:
        raise refusal.within("limits", code, end) from None


def _negative(bound: int | None) -> int | None:
    return None if bound is None else -bound
