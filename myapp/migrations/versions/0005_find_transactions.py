"""Find transactions by the words of their description, their metadata, their effective day and their amounts.

Revision: 0005, after 0010. Made: 2026-11-24. On PostgreSQL the table `transactions` is rewritten for the new column.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
DAY_OF = {
    "postgresql": "DATE GENERATED ALWAYS AS (((effective_at AT TIME ZONE 'UTC'::text))::date) STORED NOT NULL",
    "sqlite": "TEXT GENERATED ALWAYS AS (substr(effective_at, 1, 10)) NOT NULL",
}
PORTION = 1_000

TRANSACTIONS = sa.table(
    "transactions",
    sa.column("ledger_id", ID),
    sa.column("id", ID),
    sa.column("description", sa.Text()),
    sa.column("metadata", JSON),
)
TERMS = sa.table(
    "transaction_terms", sa.column("ledger_id", ID), sa.column("term", INT64), sa.column("transaction_id", ID)
)

# As they were when this revision was made; terms.py explains them.
UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")


def upgrade() -> None:
    op.execute(f"ALTER TABLE transactions ADD COLUMN effective_day {DAY_OF[op.get_context().dialect.name]}")
    op.create_index("ix_transactions_effective_day", "transactions", ["ledger_id", "effective_day", "id"])
    op.create_index("ix_postings_amount", "postings", ["ledger_id", "currency", "amount", "transaction_id"])
    op.create_index("ix_holds_state", "holds", ["ledger_id", "state", "transaction_id"])
    op.create_table(
        "transaction_terms",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("term", INT64, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "term", "transaction_id", name="pk_transaction_terms"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if not op.get_context().as_sql:
        _fill(op.get_bind())


def downgrade() -> None:
    op.drop_table("transaction_terms")
    op.drop_index("ix_holds_state", "holds")
    op.drop_index("ix_postings_amount", "postings")
    op.drop_index("ix_transactions_effective_day", "transactions")
    op.drop_column("transactions", "effective_day")


def _fill(connection: sa.Connection) -> None:
    for rows in _portions(connection):
        found = [
            {"ledger_id": row.ledger_id, "term": term, "transaction_id": row.id} for row in rows for term in _terms(row)
        ]
        if found:
            connection.execute(sa.insert(TERMS), found)


def _portions(connection: sa.Connection) -> Iterator[Any]:
    key = (TRANSACTIONS.c.ledger_id, TRANSACTIONS.c.id)
    query = sa.select(TRANSACTIONS).order_by(*key).limit(PORTION)
    rows = connection.execute(query).all()
    while rows:
        yield rows
        last = sa.tuple_(sa.literal(rows[-1].ledger_id, ID), sa.literal(rows[-1].id, ID))
        rows = connection.execute(query.where(sa.tuple_(*key) > last)).all()


def _terms(row: Any) -> set[int]:
    metadata: Mapping[str, str] = json.loads(row.metadata) if isinstance(row.metadata, str) else row.metadata
    folded = unicodedata.normalize("NFKC", row.description or "").casefold()
    found = {_number("word", word) for word in WORD.findall(unicodedata.normalize("NFKC", folded))}
    return found | {_number("entry", key, value) for key, value in metadata.items()}


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big", signed=True)
