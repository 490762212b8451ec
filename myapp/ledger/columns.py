"""Column types that mean the same on PostgreSQL and SQLite.

SQLite's tables are STRICT, which knows four types only, so each type here says what it is there: an id is 16 bytes
that sort as the UUID does, a time is text of one width that sorts as the time does, JSON is text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

Json = Mapping[str, object] | Sequence[str]
# A row whose columns the query beside it names.
AnyRow = sa.Row[*tuple[Any, ...]]


class Id(TypeDecorator[UUID]):
    """A UUID."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.LargeBinary() if dialect.name == "sqlite" else sa.Uuid())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> UUID | None:
        return UUID(bytes=value) if value is not None and dialect.name == "sqlite" else value


class Time(TypeDecorator[datetime]):
    """An instant to the microsecond, aware and in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; every time is aware and in UTC.")
        if dialect.name != "sqlite":
            return value
        # strftime does not pad years before 1000; isoformat does.
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)
        recorded: datetime = value
        return recorded.astimezone(UTC)


class Day(TypeDecorator[date]):
    """A day in UTC."""

    impl = sa.Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.Date())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        return value.isoformat() if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> date | None:
        return date.fromisoformat(value) if value is not None and dialect.name == "sqlite" else value


class JsonText(TypeDecorator[Json]):
    """A small JSON document: JSONB, or text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else postgresql.JSONB(none_as_null=True))

    def process_bind_param(self, value: Json | None, dialect: Dialect) -> Any:
        return json.dumps(value, ensure_ascii=False) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Json | None:
        return json.loads(value) if value is not None and dialect.name == "sqlite" else value


class Flag(TypeDecorator[bool]):
    """Yes or no: BOOLEAN, or 0 and 1 on SQLite."""

    impl = sa.Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Integer() if dialect.name == "sqlite" else sa.Boolean())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        return int(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bool | None:
        return bool(value) if value is not None and dialect.name == "sqlite" else value


# A 64-bit integer: an amount in the smallest unit, a counter, a version.
Int64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# A number that is small by its nature: a line, an exponent, an HTTP status.
Int32 = sa.Integer()
Bytes = sa.LargeBinary()
# Sorted by code point, as SQLite does, and so that a prefix is a range of the index.
Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


class DayOf(sa.Computed):
    """The day in UTC of a column's time, kept by the database so that it can be indexed."""

    def __init__(self, column: str) -> None:
        super().__init__(UtcDay(sa.literal_column(column)))


class UtcDay(FunctionElement[date]):
    """The day of a time, in UTC."""

    type = Day()
    inherit_cache = True


@compiles(UtcDay, "sqlite")
def _day_on_sqlite(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10)"


@compiles(UtcDay, "postgresql")
def _day_on_postgresql(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    # As the server itself would spell it, so that the schema can be compared with the model.
    return f"(({compiler.process(element.clauses, **options)} AT TIME ZONE 'UTC'::text))::date"


class MonthOf(FunctionElement[date]):
    """The first day of a day's month."""

    type = Day()
    inherit_cache = True


@compiles(MonthOf, "sqlite")
def _month_on_sqlite(element: MonthOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 8) || '01'"


@compiles(MonthOf, "postgresql")
def _month_on_postgresql(element: MonthOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"(date_trunc('month', ({compiler.process(element.clauses, **options)})::timestamp))::date"


@compiles(DayOf, "sqlite")
def _add_day_on_sqlite(element: DayOf, compiler: DDLCompiler, **_options: Any) -> str:
    # Not stored: SQLite adds no stored column to a table, and has it in the index all the same.
    return f"GENERATED ALWAYS AS ({compiler.sql_compiler.process(element.sqltext)})"


@compiles(DayOf, "postgresql")
def _add_day_on_postgresql(element: DayOf, compiler: DDLCompiler, **_options: Any) -> str:
    return f"GENERATED ALWAYS AS ({compiler.sql_compiler.process(element.sqltext)}) STORED"
