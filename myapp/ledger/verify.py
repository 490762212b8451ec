"""Check what must hold in a ledger, over everything it has recorded, and return the figures compared. Reads only.

Each check finds its violations in one statement, so it is right beside writers too; for figures that agree with one
another as well, ask in a unit of work at REPEATABLE READ.

Tables are compared by EXCEPT and not by a join: see Note [Plans for a new ledger] in queries/__init__.py.

Sums are taken in two halves of 32 bits: SQLite's SUM fails beyond 64, and a total over many accounts may well be
there although every balance fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow, Int64
from myapp.ledger.model import Ledger, Side
from myapp.ledger.tables import accounts, balances, postings, transactions

VIOLATIONS_MAX = 20
HALF = 1 << 32

IS_DEBIT = postings.c.side == Side.DEBIT.value
NOTHING = sa.literal(0, Int64)
DEBIT = sa.case((IS_DEBIT, postings.c.amount), else_=NOTHING)
CREDIT = sa.case((IS_DEBIT, NOTHING), else_=postings.c.amount)
SIDES = {"debits": DEBIT, "credits": CREDIT}
BALANCE_KEY = ("ledger_id", "account_id", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant, the figures it was judged by, and the first violations."""

    name: str
    holds: bool
    compared: Mapping[str, int]
    violations: Sequence[str]


def verify(session: Session, ledger: Ledger) -> Sequence[Check]:
    """Check the invariants of docs/ledger.md."""
    return [
        _transactions_balance(session, ledger),
        _ledger_balances(session, ledger),
        _counters_are_sums(session, ledger),
        _postings_follow_each_other(session, ledger),
        _limits_hold(session, ledger),
        _effective_times_agree(session, ledger),
    ]


def _transactions_balance(session: Session, ledger: Ledger) -> Check:
    """Each transaction has two postings at least, and is zero in every currency."""
    net, count = _sum(DEBIT) - _sum(CREDIT), sa.func.count(postings.c.line)
    group = (postings.c.transaction_id, postings.c.currency)
    unbalanced = sa.select(*group).where(postings.c.ledger_id == ledger.id).group_by(*group)
    found = _first(session, unbalanced.having(sa.or_(net != 0, count < 2)))
    empty = sa.except_(
        sa.select(transactions.c.id).where(transactions.c.ledger_id == ledger.id),
        sa.select(postings.c.transaction_id).where(postings.c.ledger_id == ledger.id),
    )
    without = _first(session, empty)
    return Check(
        name="transactions-balance",
        holds=not found and not without,
        compared={
            "transactions": _count(session, ledger, transactions),
            "postings": _count(session, ledger, postings),
        },
        violations=[
            *(f"transaction {row.transaction_id}, {row.currency}: it does not balance" for row in found),
            *(f"transaction {row.id} has no postings" for row in without),
        ],
    )


def _ledger_balances(session: Session, ledger: Ledger) -> Check:
    """All postings together are zero in every currency."""
    halves = {f"{side}_{half}": part for side, of in SIDES.items() for half, part in _halves(of).items()}
    query = sa.select(postings.c.currency, *(part.label(name) for name, part in halves.items()))
    query = query.where(postings.c.ledger_id == ledger.id).group_by(postings.c.currency)
    compared: dict[str, int] = {}
    violations = []
    for row in session.execute(query.order_by(postings.c.currency)):
        debits = int(row.debits_high) * HALF + int(row.debits_low)
        credited = int(row.credits_high) * HALF + int(row.credits_low)
        compared |= {f"{row.currency} debits": debits, f"{row.currency} credits": credited}
        if debits != credited:
            violations.append(f"{row.currency}: debits are {debits}, credits {credited}")
    return Check(name="ledger-balances", holds=not violations, compared=compared, violations=violations)


def _counters_are_sums(session: Session, ledger: Ledger) -> Check:
    """The counters of each balance are the sums of its postings, its version is their number."""
    key = [postings.c[name] for name in BALANCE_KEY]
    sums = sa.select(*key, _sum(DEBIT), _sum(CREDIT), sa.func.count())
    sums = sums.where(postings.c.ledger_id == ledger.id).group_by(*key)
    counters = [balances.c[name] for name in (*BALANCE_KEY, "debits_posted", "credits_posted", "version")]
    is_used = sa.or_(*(counter != 0 for counter in counters[len(BALANCE_KEY) :]))
    held = sa.select(*counters).where(balances.c.ledger_id == ledger.id, is_used)
    differing = sa.union(_except(held, sums), _except(sums, held)).subquery()
    query = sa.select(accounts.c.path, differing.c.currency).select_from(_with_account(differing)).distinct()
    found = _first(session, query)
    return Check(
        name="counters-are-sums",
        holds=not found,
        compared={"balances": _count(session, ledger, balances), "postings": _count(session, ledger, postings)},
        violations=[f"{row.path} in {row.currency}: counters and postings differ" for row in found],
    )


def _postings_follow_each_other(session: Session, ledger: Ledger) -> Check:
    """Each posting takes its balance from where the one before left it, and no version is missing."""
    window: dict[str, Any] = {
        "partition_by": (postings.c.account_id, postings.c.currency),
        "order_by": postings.c.balance_version,
    }

    def before(name: str) -> sa.ColumnElement[int]:
        return sa.func.lag(postings.c[name], 1, 0).over(**window)

    steps = sa.select(
        *(postings.c[name] for name in (*BALANCE_KEY, "balance_version")),
        (postings.c.debits_posted - before("debits_posted") - DEBIT).label("debits"),
        (postings.c.credits_posted - before("credits_posted") - CREDIT).label("credits"),
        (postings.c.balance_version - before("balance_version") - 1).label("gap"),
    )
    of = steps.where(postings.c.ledger_id == ledger.id).subquery()
    query = sa.select(accounts.c.path, of.c.currency, of.c.balance_version).select_from(_with_account(of))
    found = _first(session, query.where(sa.or_(of.c.debits != 0, of.c.credits != 0, of.c.gap != 0)))
    return Check(
        name="postings-follow-each-other",
        holds=not found,
        compared={"postings": _count(session, ledger, postings)},
        violations=[
            f"{row.path} in {row.currency}: posting {row.balance_version} does not follow from the one before"
            for row in found
        ],
    )


def _limits_hold(session: Session, ledger: Ledger) -> Check:
    """No balance is outside its limits, whatever becomes of what is pending."""
    net = balances.c.debits_posted - balances.c.credits_posted
    # Moved to the side where a sum beyond 64 bits still compares right.
    is_below = balances.c.credits_pending > _wide(net) - balances.c.net_min
    is_above = balances.c.debits_pending > _wide(balances.c.net_max) - net
    is_limited = sa.or_(balances.c.net_min.is_not(None), balances.c.net_max.is_not(None))
    query = sa.select(accounts.c.path, balances.c.currency).select_from(_with_account(balances))
    found = _first(session, query.where(balances.c.ledger_id == ledger.id, sa.or_(is_below, is_above)))
    return Check(
        name="limits-hold",
        holds=not found,
        compared={"balances with limits": _count(session, ledger, balances, is_limited)},
        violations=[f"{row.path} in {row.currency} is outside its limits" for row in found],
    )


def _effective_times_agree(session: Session, ledger: Ledger) -> Check:
    """Each posting counts when its transaction does."""
    query = sa.except_(
        sa.select(postings.c.transaction_id, postings.c.effective_at).where(postings.c.ledger_id == ledger.id),
        sa.select(transactions.c.id, transactions.c.effective_at).where(transactions.c.ledger_id == ledger.id),
    )
    found = _first(session, query)
    return Check(
        name="effective-times-agree",
        holds=not found,
        compared={"postings": _count(session, ledger, postings)},
        violations=[f"a posting of transaction {row.transaction_id} has another time" for row in found],
    )


def _except(rows: sa.Select[Any], others: sa.Select[Any]) -> sa.Select[Any]:
    """Select the rows that are not among the others; as a subquery, since SQLite nests no compound selects."""
    return sa.select(sa.except_(rows, others).subquery())


def _halves(of: sa.ColumnElement[int]) -> Mapping[str, sa.ColumnElement[int]]:
    return {"high": sa.func.sum(of // HALF), "low": sa.func.sum(of % HALF)}


def _sum(of: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Sum without failing: beyond 64 bits SQLite goes on with a float, which still differs from any integer there."""
    halves = _halves(of)
    return halves["high"] * HALF + halves["low"]


def _wide(of: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Widen a 64-bit integer on PostgreSQL; on SQLite it stays what it is."""
    return sa.cast(of, sa.Numeric)


def _with_account(of: sa.FromClause) -> sa.Join:
    is_its = sa.and_(accounts.c.ledger_id == of.c.ledger_id, accounts.c.id == of.c.account_id)
    return sa.join(of, accounts, is_its)


def _first(session: Session, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> Sequence[AnyRow]:
    return session.execute(query.limit(VIOLATIONS_MAX)).all()


def _count(session: Session, ledger: Ledger, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.ledger_id == ledger.id, *conditions)
    return session.scalars(query).one()
