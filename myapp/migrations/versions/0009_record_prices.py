"""Record what currencies are worth in others.

Revision: 0009, after 0008. Made: 2026-11-24.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("quote", TEXT, nullable=False),
        sa.Column("effective_at", TIME, nullable=False),
        sa.Column("price", TEXT, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_prices"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "currency"], ["currencies.ledger_id", "currencies.code"], name="fk_prices_currency"
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "quote"], ["currencies.ledger_id", "currencies.code"], name="fk_prices_quote"
        ),
        sa.CheckConstraint("currency <> quote", name=op.f("ck_prices_quote")),
        sqlite_strict=True,
    )
    op.create_index("ix_prices_newest", "prices", ["ledger_id", "currency", "quote", "effective_at", "id"])


def downgrade() -> None:
    op.drop_table("prices")
