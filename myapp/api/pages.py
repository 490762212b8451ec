"""Pages of a list: one row more than asked for is read, so that the last page is known without counting.

A page takes several statements, and others write meanwhile: so a view that shows more than immutable rows of one
statement declares `db=ONE_SNAPSHOT`. It costs nothing: the level is said in BEGIN, and who only reads never conflicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pyramid.response import Response

from myapp.api import cursors, respond, schemas
from myapp.api.request import AnyRequest

ONE_SNAPSHOT = {"isolation": "REPEATABLE READ"}

RowT = TypeVar("RowT")
ItemT = TypeVar("ItemT")


def respond_with(
    request: AnyRequest,
    rows: Sequence[RowT],
    *,
    limit: int,
    item: Callable[[RowT], ItemT],
    cursor: Callable[[RowT], cursors.Cursor],
) -> Response:
    """Return a page of at most `limit` items.

    Shape: `rows` are up to `limit + 1`; `cursor` makes the one that continues after a row.
    """
    shown = rows[:limit]
    following = cursors.encode(cursor(shown[-1])) if len(rows) > limit else None
    return respond.page(request, schemas.Listed(items=[item(row) for row in shown], next=following))
