"""Read rows by many keys, each by its own look-up.

Note [Look-ups by key]
With a list of keys PostgreSQL may read all that a ledger has in another index, and filter it: to its planner a ledger
may have fewer rows than it has, and that is cheaper than fifty look-ups. With a list of keys of several columns, which
are alternatives to it, it has no other way without bitmaps. A look-up for each key leaves no such choice. SQLite looks
each key up as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import chunks
from myapp.ledger.columns import AnyRow


def read(session: Session, query: sa.Select[Any], key: sa.Column[Any], keys: Sequence[Any]) -> Sequence[AnyRow]:
    """Return the rows of a query that have one of these keys, in no order; `query` names the ledger, no key twice.

    Shape: one statement; one for each ten thousand keys on SQLite, and none where there is no key.
    """
    if session.get_bind().dialect.name == "sqlite":
        return [row for some in chunks.of(keys) if some for row in session.execute(query.where(key.in_(some)))]
    return _look_up(session, query, key, keys) if keys else []


def read_together(
    session: Session,
    query: sa.Select[Any],
    columns: Sequence[sa.Column[Any]],
    keys: Sequence[Sequence[Any]],
    *,
    is_unique: bool = False,
) -> Sequence[AnyRow]:
    """As `read`, where several columns are the key; the query selects the last of them.

    `is_unique` says that they are, with the ledger before them, a unique index in its order.
    """
    if session.get_bind().dialect.name == "sqlite":
        key, portions = sa.tuple_(*columns), chunks.of(keys, times=len(columns))
        return [row for some in portions if some for row in session.execute(query.where(key.in_(some)))]
    if not keys:
        return []
    wanted = _wanted(columns, list(zip(*keys, strict=True)))
    *firsts, last = columns
    its = query.where(*(column == wanted.c[column.name] for column in firsts))
    if is_unique:
        # The first that is not before it, which this index alone has at hand; then it is compared.
        found = its.where(last >= wanted.c[last.name]).order_by(last).limit(1).lateral("found")
    else:
        found = its.where(last == wanted.c[last.name]).offset(0).lateral("found")
    is_it = found.c[last.name] == wanted.c[last.name]
    return session.execute(sa.select(found).select_from(wanted.join(found, is_it))).all()


def _look_up(session: Session, query: sa.Select[Any], key: sa.Column[Any], keys: Sequence[Any]) -> Sequence[AnyRow]:
    wanted = _wanted([key], [keys])
    # The offset keeps the look-up a look-up. See Note [Look-ups by key].
    found = query.where(key == wanted.c[key.name]).offset(0).lateral("found")
    return session.execute(sa.select(found).select_from(wanted.join(found, sa.true()))).all()


def _wanted(columns: Sequence[sa.Column[Any]], values: Sequence[Sequence[Any]]) -> sa.TableValuedAlias:
    """Return the keys as rows, of the values of each column."""
    arrays = (
        sa.literal(list(each), postgresql.ARRAY(column.type)) for column, each in zip(columns, values, strict=True)
    )
    names = (column.name for column in columns)
    return sa.func.unnest(*arrays).table_valued(*names).render_derived(name="wanted")
