"""Keep the lines of bank statements, what is proposed for them, and what they are matched with.

Revision: 0008, after 0007. Made: 2026-11-24.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT32 = sa.Integer()
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DAY = sa.Date().with_variant(sa.Text(), "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")
JSON = postgresql.JSONB().with_variant(sa.Text(), "sqlite")

POSTING = ["postings.ledger_id", "postings.transaction_id", "postings.line"]


def upgrade() -> None:
    _create_lines()
    _create_matches()
    _create_proposals()


def downgrade() -> None:
    for table in ("bank_proposals", "bank_matches", "bank_lines"):
        op.drop_table(table)


def _create_lines() -> None:
    op.create_table(
        "bank_lines",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("against_id", ID, nullable=False),
        sa.Column("booked_on", DAY, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount", INT64, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("transaction_id", ID),
        sa.Column("imported_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_bank_lines"),
        _to("accounts", "account_id", name="fk_bank_lines_account"),
        _to("accounts", "against_id", name="fk_bank_lines_against"),
        _to("transactions", "transaction_id", name="fk_bank_lines_transactions"),
        sa.UniqueConstraint("ledger_id", "account_id", "fingerprint", name="uq_bank_lines_fingerprint"),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_bank_lines_side")),
        sa.CheckConstraint("state IN ('open', 'proposed', 'matched')", name=op.f("ck_bank_lines_state")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_bank_lines_amount")),
        sqlite_strict=True,
    )
    is_recorded = sa.text("transaction_id IS NOT NULL")
    op.create_index(
        "uq_bank_lines_transaction_id",
        "bank_lines",
        ["ledger_id", "transaction_id"],
        unique=True,
        sqlite_where=is_recorded,
        postgresql_where=is_recorded,
    )
    op.create_index("ix_bank_lines_booked_on", "bank_lines", ["ledger_id", "account_id", "booked_on", "id"])
    op.create_index("ix_bank_lines_state", "bank_lines", ["ledger_id", "account_id", "state", "booked_on", "id"])


def _create_matches() -> None:
    op.create_table(
        "bank_matches",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("line_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("posting_line", INT32, nullable=False),
        sa.Column("how", TEXT, nullable=False),
        sa.Column("matched_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "line_id", name="pk_bank_matches"),
        _to("bank_lines", "line_id", name="fk_bank_matches_bank_lines"),
        _to_posting(name="fk_bank_matches_postings"),
        sa.UniqueConstraint("ledger_id", "transaction_id", "posting_line", name="uq_bank_matches_posting"),
        sa.CheckConstraint("how IN ('rule', 'accepted', 'recorded')", name=op.f("ck_bank_matches_how")),
        sqlite_strict=True,
    )


def _create_proposals() -> None:
    op.create_table(
        "bank_proposals",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("line_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("posting_line", INT32, nullable=False),
        sa.Column("score", INT32, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("rejected", FLAG, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "line_id", "transaction_id", "posting_line", name="pk_bank_proposals"),
        _to("bank_lines", "line_id", name="fk_bank_proposals_bank_lines"),
        _to_posting(name="fk_bank_proposals_postings"),
        sqlite_strict=True,
    )
    op.create_index("ix_bank_proposals_posting", "bank_proposals", ["ledger_id", "transaction_id", "posting_line"])


def _to(table: str, column: str, *, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["ledger_id", column], [f"{table}.ledger_id", f"{table}.id"], name=name)


def _to_posting(*, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["ledger_id", "transaction_id", "posting_line"], POSTING, name=name)
