"""What a check says, and how whole and portioned ones are put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.tables import accounts

VIOLATIONS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant, the figures it was judged by, and the first violations."""

    name: str
    holds: bool
    compared: Mapping[str, int]
    violations: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one portion says; `next` is where the next one begins, None after the last."""

    compared: Mapping[str, int]
    violations: Sequence[str]
    next: Any = None


Whole = Callable[[Session, Ledger], Check]
# Is told where to begin: None for the first portion, then what the one before said.
Portion = Callable[[Session, Ledger, Any], Part]


def of(name: str, compared: Mapping[str, int], violations: Iterable[str]) -> Check:
    """Return the check that these violations make."""
    listed = list(violations)
    return Check(name=name, holds=not listed, compared=compared, violations=listed[:VIOLATIONS_MAX])


def of_parts(name: str, parts: Iterable[Part]) -> Check:
    """Return the check that its portions make together."""
    compared: Counter[str] = Counter()
    violations: list[str] = []
    for part in parts:
        # Not by update(), which leaves out nothing but says so only of counts above zero.
        for figure, count in part.compared.items():
            compared[figure] += count
        violations += part.violations
    return of(name, dict(compared), violations)


def first(session: Session, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> Sequence[AnyRow]:
    """Return the first rows, as many as are shown of violations."""
    return session.execute(query.limit(VIOLATIONS_MAX)).all()


def count(session: Session, ledger: Ledger, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    """Count the rows of the ledger."""
    query = sa.select(sa.func.count()).select_from(table).where(table.c.ledger_id == ledger.id, *conditions)
    return session.scalars(query).one()


def missing(rows: sa.Select[Any], others: sa.Select[Any]) -> sa.Select[Any]:
    """Select the rows that are not among the others; as a subquery, since SQLite nests no compound selects."""
    return sa.select(sa.except_(rows, others).subquery())


def differing(rows: sa.Select[Any], others: sa.Select[Any]) -> sa.CompoundSelect[Any]:
    """Select what is in one of the two alone."""
    return sa.union(missing(rows, others), missing(others, rows))


def with_account(of: sa.FromClause) -> sa.Join:
    """Join rows that are few with their accounts, which may not be there."""
    is_its = sa.and_(accounts.c.ledger_id == of.c.ledger_id, accounts.c.id == of.c.account_id)
    return sa.outerjoin(of, accounts, is_its)


def account(row: AnyRow) -> str:
    """Return the path of a row's account, or else its id."""
    return row.path or str(row.account_id)
