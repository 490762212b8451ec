"""Whatever is changed of what is recorded, `verify` finds it: every column of every table, and any row that is removed,
added, or swapped with another one.

Tables and columns are read from the metadata, so that a new one is tampered with as well, or has to be listed here with
the reason why nobody need notice. Each change is made behind the constraints' back, as one would make it who may do
anything, and undone. One row is taken for each column; with MYAPP_TEST_EVERY_ROW all are, which takes minutes.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.db import scope
from myapp.ledger import operations, sealing, tables, verify
from myapp.ledger.columns import Day, Flag, Id, JsonText, Time
from myapp.ledger.verifying import check
from tests.integration.ledger import story
from tests.integration.ledger.desk import Desk

pytestmark = pytest.mark.long

DOCUMENT = Path(__file__).parents[4] / "docs" / "tamper-evidence.md"

NOT_COVERED = {
    "idempotency": "is forgotten after days, and says nothing of the books",
    "api_keys": "says who may come in, not what was recorded",
    "verify_checkpoints": "says where the next incremental run begins; a whole run does not ask",
    "bank_proposals": "are guesses, made anew by each run; a line's state is compared with them",
    "webhooks": "say who is told of events, and how far each was",
}

# Where a check constraint allows only some values: each stands for another.
OTHER = {
    "day": "month",
    "month": "day",
    "debit": "credit",
    "credit": "debit",
    "posted": "pending",
    "pending": "posted",
    "taken": "posted",
    "released": "pending",
    "voided": "expired",
    "expired": "voided",
    "asset": "liability",
    "income": "equity",
    "rule": "accepted",
    "accepted": "recorded",
    "recorded": "rule",
    "open": "proposed",
    "proposed": "matched",
    "matched": "open",
}
# An event that was not sealed yet may be a true one, where nothing else has to agree with it.
LEAVES_NO_ROW = ("bank_lines.imported",)
EVERY_ROW = "MYAPP_TEST_EVERY_ROW"
STRIDE = 7
STRANGER = UUID("01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31")


@pytest.fixture(scope="module")
def sealed(sessions) -> Desk:
    """Return a desk whose story is told and sealed."""
    with scope.session_scope(sessions) as session:
        name = f"sealed-{secrets.token_hex(8)}"
        ledger = operations.create_ledger(session, name, metadata={"x": "y"}, now=story.NOW)

    desk = Desk(sessions, ledger)
    story.tell(desk)
    with desk.at_work() as session:
        while new := sealing.make_next(session, desk.ledger, now=story.LATER_STILL, size_max=9):
            sealing.store(session, new)
    return desk


def of_ledger(desk: Desk, table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.id if table is tables.ledgers else table.c.ledger_id) == desk.ledger.id


def changed(column: sa.Column[Any], value: Any) -> Any:
    """Return another value that the column could have."""
    kind = column.type
    if isinstance(kind, Id):
        return STRANGER
    if isinstance(kind, Time):
        return datetime(2020, 1, 1, tzinfo=UTC) if value is None else value + timedelta(microseconds=1)
    if isinstance(kind, Day):
        return date(2020, 1, 1) if value is None else value + timedelta(days=1_000)
    if isinstance(kind, JsonText):
        return ["EUR"] if column.name == "currencies" else {**(value or {}), "changed": "1"}
    if isinstance(kind, Flag):
        return not value
    if isinstance(kind, sa.LargeBinary):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(kind, sa.Integer):
        # One more is taken, where the column is part of a key.
        return (value or 0) + (1_000 if column.name in ("line", "balance_version", "seq", "epoch", "last_seq") else 1)
    return OTHER.get(value, "X" if value is None else f"{value}X")


@contextmanager
def undone(desk: Desk) -> Iterator[Session]:
    """Lend a session in which no foreign key is looked at, and undo what it did."""
    with desk.at_work() as session:
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        session.execute(
            sa.text("PRAGMA defer_foreign_keys = ON" if is_sqlite else "SET LOCAL session_replication_role = replica")
        )
        with scope.discarded(session):
            yield session


def notices(session: Session, desk: Desk) -> bool:
    """Say whether any check fails; they are asked one by one, the one that found the last change first."""
    for name in sorted(verify.CHECKS, key=lambda name: name != notices.last):
        if name in verify.WHOLE:
            found = verify.WHOLE[name](session, desk.ledger)
        else:
            found = check.of_parts(name, portions(session, desk, verify.PORTIONED[name]))
        if not found.holds:
            notices.last = name
            return True
    return False


notices.last = ""


def portions(session: Session, desk: Desk, portion: check.Portion) -> Iterator[check.Part]:
    part = portion(session, desk.ledger, None)
    yield part
    while part.next is not None:
        part = portion(session, desk.ledger, part.next)
        yield part


def rows(desk: Desk, table: sa.Table) -> list[dict[str, Any]]:
    with desk.at_work(readonly=True) as session:
        query = sa.select(table).where(of_ledger(desk, table)).order_by(*table.primary_key)
        return [dict(row._mapping) for row in session.execute(query)]


def at(table: sa.Table, row: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [column == row[column.name] for column in table.primary_key]


def others(column: sa.Column[Any], value: Any) -> list[Any]:
    """Return what to put in a value's place."""
    return [changed(column, value), *([None] if column.nullable and value is not None else [])]


def taken(there: list[dict[str, Any]], nth: int) -> list[dict[str, Any]]:
    """Return the rows in the order in which to tamper with them, another one first for each `nth`."""
    first = nth * STRIDE % len(there)
    return [*there[first:], *there[:first]]


def is_made(session: Session, *statements: sa.Update | sa.Insert) -> bool:
    """Make a change, and say whether the constraints let it be made; other rows have it made to them."""
    try:
        with session.begin_nested():
            made = [session.execute(statement) for statement in statements]
            return all(each.is_insert or each.rowcount == 1 for each in made)
    except sa.exc.IntegrityError:
        return False


def copies(table: sa.Table, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row again under each other key it could have, also with another name where that occurs once."""
    stored = {column.name: row[column.name] for column in table.c if not column.computed}
    keys = {column.name for column in table.primary_key}
    named = {column for columns in unique(table) for column in columns if column.name not in keys}
    renamed = {column.name: None if column.nullable else changed(column, row[column.name]) for column in named}
    for column in table.primary_key:
        if column.name != "ledger_id":
            copy = {**stored, column.name: changed(column, row[column.name])}
            yield copy
            yield {**copy, **renamed}


def unique(table: sa.Table) -> Iterator[list[sa.Column[Any]]]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield list(index.columns)


def swap(table: sa.Table, one: dict[str, Any], other: dict[str, Any], names: Sequence[str]) -> list[sa.Update]:
    """Return the updates after which two rows have each other's values, which may occur once only."""
    parked = {name: changed(table.c[name], one[name]) for name in names if is_unique(table, name)}
    return [
        *([sa.update(table).where(*at(table, one)).values(parked)] if parked else []),
        sa.update(table).where(*at(table, other)).values({name: one[name] for name in names}),
        sa.update(table).where(*at(table, one)).values({name: other[name] for name in names}),
    ]


def is_unique(table: sa.Table, name: str) -> bool:
    return any(table.c[name] in columns for columns in unique(table))


def is_last_seal(session: Session, table: sa.Table, row: dict[str, Any], column: sa.Column[Any] | None = None) -> bool:
    """Say whether the newest seal is taken away: only who has its published hash can know that it was there."""
    if table is not tables.seals or not (column is None or column is table.c.ledger_id):
        return False
    newest = sa.select(sa.func.max(table.c.epoch)).where(table.c.ledger_id == row["ledger_id"])
    return row["epoch"] > (session.scalar(newest) or 0)


def swaps(table: sa.Table, there: list[dict[str, Any]]) -> Iterator[tuple[list[str], list[sa.Update]]]:
    """Yield what to swap between two rows, the values of each column and all at once, and how."""
    names = [column.name for column in table.c if not column.computed and not column.primary_key]
    for some in [*([name] for name in names), names]:
        for one, other in itertools.pairwise(there):
            if some and any(one[name] != other[name] for name in some):
                yield some, swap(table, one, other, some)


COVERED = sorted(set(tables.metadata.tables) - NOT_COVERED.keys())


class TestEveryTable:
    @pytest.mark.parametrize("name", NOT_COVERED, ids=lambda name: f"{name}, {NOT_COVERED[name]}")
    def test_is_tampered_with_or_listed(self, name: str) -> None:
        """The page that says what is proven says of each other table why it is not."""
        assert name in tables.metadata.tables
        assert f"| `{name}` | {NOT_COVERED[name]} |" in DOCUMENT.read_text()

    @pytest.mark.parametrize("name", COVERED)
    def test_has_something_recorded_in_each_column(self, sealed: Desk, name: str) -> None:
        table = tables.metadata.tables[name]
        there = rows(sealed, table)

        assert there
        assert [column.name for column in table.c if all(row[column.name] is None for row in there)] == []


class TestVerify:
    def test_finds_nothing_in_what_nobody_changed(self, sealed: Desk) -> None:
        with undone(sealed) as session:
            assert not notices(session, sealed)

    @pytest.mark.parametrize("name", COVERED)
    def test_finds_any_change_of_any_column(self, sealed: Desk, name: str) -> None:
        table = tables.metadata.tables[name]
        there = rows(sealed, table)
        unnoticed, made = [], set()
        # What is computed of another column changes with it only.
        stored = [column for column in table.c if not column.computed]
        for nth, column in enumerate(stored):
            for row in taken(there, nth):
                for value in others(column, row[column.name]):
                    with undone(sealed) as session:
                        statement = sa.update(table).where(*at(table, row)).values({column.name: value})
                        if not is_made(session, statement):
                            continue
                        made.add(column.name)
                        if not is_last_seal(session, table, row, column) and not notices(session, sealed):
                            unnoticed.append((column.name, row[column.name], value))
                if column.name in made and EVERY_ROW not in os.environ:
                    break

        assert unnoticed == []
        assert made == {column.name for column in stored}

    @pytest.mark.parametrize("name", COVERED)
    def test_finds_any_row_that_is_removed(self, sealed: Desk, name: str) -> None:
        table = tables.metadata.tables[name]
        unnoticed = []
        there = rows(sealed, table)
        for row in there if EVERY_ROW in os.environ else [there[0], there[-1]]:
            with undone(sealed) as session:
                session.execute(sa.delete(table).where(*at(table, row)))
                if not is_last_seal(session, table, row) and not notices(session, sealed):
                    unnoticed.append(row)

        assert unnoticed == []

    @pytest.mark.parametrize("name", [name for name in COVERED if name != "ledgers"])
    def test_finds_any_row_that_is_added(self, sealed: Desk, name: str) -> None:
        table = tables.metadata.tables[name]
        there = rows(sealed, table)
        unnoticed, made = [], 0
        for row in there if EVERY_ROW in os.environ else [there[0], there[-1]]:
            for copy in copies(table, row):
                with undone(sealed) as session:
                    if copy.get("type") not in LEAVES_NO_ROW and is_made(session, sa.insert(table).values(copy)):
                        made += 1
                        if not notices(session, sealed):
                            unnoticed.append(copy)

        assert unnoticed == []
        assert made

    @pytest.mark.parametrize("name", [name for name in COVERED if name != "ledgers"])
    def test_finds_any_two_rows_that_are_swapped(self, sealed: Desk, name: str) -> None:
        table = tables.metadata.tables[name]
        unnoticed, made = [], set()
        for names, statements in swaps(table, rows(sealed, table)):
            if tuple(names) in made and EVERY_ROW not in os.environ:
                continue
            with undone(sealed) as session:
                if is_made(session, *statements):
                    made.add(tuple(names))
                    if not notices(session, sealed):
                        unnoticed.append((names, statements))

        assert unnoticed == []
        assert made or all(column.primary_key for column in table.c)
