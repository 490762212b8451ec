"""Read rows by many keys, each by its own look-up.

Note [Look-ups by key]
With a list of keys PostgreSQL may read all that a ledger has in another index, and filter it: to its planner a ledger
may have fewer rows than it has, and that is cheaper than fifty look-ups. A look-up for each key leaves no such choice.
SQLite looks each key up as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from myapp.ledger import chunks
from myapp.ledger.columns import AnyRow


def read(
    session: Session, query: sa.Select[Any], key: sa.Column[UUID] | sa.Column[str], keys: Sequence[UUID | str]
) -> Sequence[AnyRow]:
    """Return the rows of a query that have one of these keys, in no order; `query` names the ledger.

    Shape: one statement; one for each ten thousand keys on SQLite, and none where there is no key.
    """
    if not keys:
        return []
    if session.get_bind().dialect.name == "sqlite":
        return [row for some in chunks.of(keys) for row in session.execute(query.where(key.in_(some)))]
    wanted = (
        sa.func.unnest(sa.literal(list(keys), postgresql.ARRAY(key.type)))
        .table_valued("key")
        .render_derived(name="wanted")
    )
    # The offset keeps the look-up a look-up. See Note [Look-ups by key].
    found = query.where(key == wanted.c.key).offset(0).lateral("found")
    return session.execute(sa.select(found).select_from(wanted.join(found, sa.true()))).all()
