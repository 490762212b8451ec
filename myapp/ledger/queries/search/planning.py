"""Have PostgreSQL read an index in its order, where a part of it was asked for in that order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

_OFF = sa.text(
    "SELECT current_setting('enable_sort'), current_setting('enable_bitmapscan'), "
    "set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
)
_BACK = sa.text("SELECT set_config('enable_sort', :sort, true), set_config('enable_bitmapscan', :bitmapscan, true)")


@contextmanager
def in_index_order(session: Session) -> Iterator[None]:
    """Plan what is read inside without collecting and sorting; for this unit of work only.

    Of a ledger that is newer than the last ANALYZE, PostgreSQL expects a row or three. To collect and sort these seems
    as cheap as reading them in order until there are enough, and then there are a million. SQLite reads in order.
    """
    if session.get_bind().dialect.name != "postgresql":
        yield
        return
    sort, bitmapscan, *_ = session.execute(_OFF).one()
    yield
    # After an error nothing more is planned in this unit of work.
    session.execute(_BACK, {"sort": sort, "bitmapscan": bitmapscan})
