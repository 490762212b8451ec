"""Seal epochs of events into Merkle trees that are chained.

Revision: 0007, after 0006. Made: 2026-11-24. One new table, empty; nothing else is touched.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "seals",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("epoch", INT64, nullable=False),
        sa.Column("first_seq", INT64, nullable=False),
        sa.Column("last_seq", INT64, nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "epoch", name="pk_seals"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_seals_ledgers"),
        sa.UniqueConstraint("ledger_id", "last_seq", name="uq_seals_ledger_id_last_seq"),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_seals_epoch")),
        sa.CheckConstraint("first_seq BETWEEN 1 AND last_seq", name=op.f("ck_seals_first_seq")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("seals")
