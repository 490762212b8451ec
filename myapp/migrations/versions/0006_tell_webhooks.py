"""Keep the webhooks of a ledger: where its events are sent, how far that has come, and who sends at the moment.

Revision: 0006, after 0004. Made: 2026-11-24.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT32 = sa.Integer()
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
JSON = postgresql.JSONB().with_variant(sa.Text(), "sqlite")

STATES = "state IN ('active', 'paused', 'disabled')"


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("types", JSON),
        sa.Column("description", TEXT),
        sa.Column("secret", BYTES, nullable=False),
        sa.Column("previous_secret", BYTES),
        sa.Column("previous_until", TIME),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("position", INT64, nullable=False),
        sa.Column("failures", INT32, nullable=False),
        sa.Column("failing_since", TIME),
        sa.Column("last_error", TEXT),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease", ID),
        sa.Column("leased_until", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_webhooks"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_webhooks_ledgers"),
        sa.CheckConstraint(STATES, name=op.f("ck_webhooks_state")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("webhooks")
