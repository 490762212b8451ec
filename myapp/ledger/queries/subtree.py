"""An account with all below it: one stretch of the index of paths, in which few others are."""

from __future__ import annotations

import sqlalchemy as sa

# What a parent and a child are joined by, and the character behind it.
JOINT, BEHIND = ":", ";"

Text = str | sa.ColumnElement[str]


def ends(path: str) -> tuple[str, str]:
    """Return what every path below this one begins with or comes after, and what all of them come before."""
    return f"{path}{JOINT}", f"{path}{BEHIND}"


def holds(column: sa.ColumnElement[str], path: Text, first: Text, last: Text) -> sa.ColumnElement[bool]:
    """Say that a path is this one or below it, between its `ends`."""
    # Two stretches joined by OR would be none: a planner reads the whole ledger for them.
    return sa.and_(column >= path, column < last, sa.or_(column == path, column >= first))
