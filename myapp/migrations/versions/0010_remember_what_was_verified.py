"""Remember how far an incremental verification has come.

Revision: 0010, after 0009. Made: 2026-11-24. One new table, empty; nothing else is touched.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "verify_checkpoints",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("last_seq", INT64, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("verified_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", name="pk_verify_checkpoints"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_verify_checkpoints_ledgers"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("verify_checkpoints")
