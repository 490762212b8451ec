"""Read the balances of one account, of it alone or with all below it, at a time and as known at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Counters, Ledger, Side
from myapp.ledger.queries import history
from myapp.ledger.queries.accounts import LAST
from myapp.ledger.tables import accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBalance:
    """The counters by currency of what is at a path, and the direction in which they are given."""

    normal_side: Side
    balances: Mapping[str, Counters]


def get_balance(
    session: Session, ledger: Ledger, path: str, *, with_children: bool, at: datetime | None, known_at: datetime | None
) -> PathBalance:
    """Return the balances of an account at a time, of it alone or with all below it. See `balances_at`.

    With those below it there need be no account at the path itself.
    Raises:
        NotFound: there is no such account, nor one below it if they are asked for.
    """
    is_it = accounts.c.path == path
    if with_children:
        is_it = sa.or_(is_it, sa.and_(accounts.c.path >= f"{path}:", accounts.c.path < f"{path}:{LAST}"))
    query = sa.select(accounts.c.id, accounts.c.path, accounts.c.type).where(accounts.c.ledger_id == ledger.id, is_it)
    found = session.execute(query.order_by(accounts.c.path)).all()
    if not found:
        detail = f"There is no account {path}, nor any below it." if with_children else f"There is no account {path}."
        raise errors.NotFound(detail)
    held = history.balances_at(session, ledger, [row.id for row in found], at=at, known_at=known_at)
    totals: dict[str, Counters] = {}
    for (_, currency), counters in sorted(held.items(), key=lambda pair: pair[0][1]):
        totals[currency] = totals.get(currency, Counters()).plus(counters)
    return PathBalance(normal_side=_normal_side(path, found), balances=totals)


def _normal_side(path: str, found: Sequence[AnyRow]) -> Side:
    """Return the direction of the account; where there is none, that of those below, debit if they differ."""
    own = [row for row in found if row.path == path]
    sides = {AccountType(row.type).normal_side for row in own or found}
    return sides.pop() if len(sides) == 1 else Side.DEBIT
