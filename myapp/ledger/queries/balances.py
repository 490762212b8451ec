"""Read the balances of one account, of it alone or with all below it, at a time and as known at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Counters, Ledger, Side
from myapp.ledger.queries import deltas, history, subtree
from myapp.ledger.tables import accounts, balances

NOTHING = Counters()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBalance:
    """The counters by currency of what is at a path, and the direction in which they are given."""

    normal_side: Side
    balances: Mapping[str, Counters]


# What there is now is one row for each balance, so account and balances are read in one statement.
NOW = (
    sa.select(accounts.c.path, accounts.c.type, balances.c.currency, *(balances.c[name] for name in deltas.COUNTERS))
    .outerjoin_from(
        accounts,
        balances,
        sa.and_(
            balances.c.ledger_id == accounts.c.ledger_id,
            balances.c.account_id == accounts.c.id,
            balances.c.version > 0,
        ),
    )
    .where(accounts.c.ledger_id == sa.bindparam("of_ledger"))
    .execution_options(**scope.ALONE)
)
IS_IT = accounts.c.path == sa.bindparam("path")
IS_IT_OR_BELOW = subtree.holds(accounts.c.path, *(sa.bindparam(name) for name in ("path", "first", "last")))
ALONE = NOW.where(IS_IT)
WITH_CHILDREN = NOW.where(IS_IT_OR_BELOW)


def get_balance(
    session: Session, ledger: Ledger, path: str, *, with_children: bool, at: datetime | None, known_at: datetime | None
) -> PathBalance:
    """Return the balances of an account at a time, of it alone or with all below it. See `balances_at`.

    With those below it there need be no account at the path itself.
    Raises:
        NotFound: there is no such account, nor one below it if they are asked for.
    """
    values = {"of_ledger": ledger.id, "path": path}
    if with_children:
        values["first"], values["last"] = subtree.ends(path)
    if at is None and known_at is None:
        found = session.execute(WITH_CHILDREN if with_children else ALONE, values).all()
        held = ((row.currency, _counters(row)) for row in found if row.currency is not None)
    else:
        is_it = IS_IT_OR_BELOW if with_children else IS_IT
        query = sa.select(accounts.c.id, accounts.c.path, accounts.c.type).where(accounts.c.ledger_id == ledger.id)
        found = session.execute(query.where(is_it), values).all()
        at_time = history.balances_at(session, ledger, [row.id for row in found], at=at, known_at=known_at)
        held = ((currency, counters) for (_, currency), counters in at_time.items())
    if not found:
        detail = f"There is no account {path}, nor any below it." if with_children else f"There is no account {path}."
        raise errors.NotFound(detail)
    return PathBalance(normal_side=_normal_side(path, found), balances=_totals(held))


def _counters(row: AnyRow) -> Counters:
    return Counters(
        debits_posted=row.debits_posted,
        credits_posted=row.credits_posted,
        debits_pending=row.debits_pending,
        credits_pending=row.credits_pending,
    )


def _totals(held: Iterable[tuple[str, Counters]]) -> Mapping[str, Counters]:
    totals: dict[str, Counters] = {}
    for currency, counters in sorted(held, key=lambda pair: pair[0]):
        totals[currency] = totals.get(currency, NOTHING).plus(counters)
    return totals


def _normal_side(path: str, found: Sequence[AnyRow]) -> Side:
    """Return the direction of the account; where there is none, that of those below, debit if they differ."""
    own = [row for row in found if row.path == path]
    sides = {AccountType(row.type).normal_side for row in own or found}
    return sides.pop() if len(sides) == 1 else Side.DEBIT
