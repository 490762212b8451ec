"""Total what each day added to a balance, and find the postings of an account in the order they were recorded.

Revision: 0003, after 0002. Made: 2026-11-24.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DAY = sa.Date().with_variant(sa.Text(), "sqlite")

# Nothing was pending before this revision.
FILL = """
    INSERT INTO day_totals (
      ledger_id, account_id, currency, effective_day, recorded_day,
      debits_posted, credits_posted, debits_pending, credits_pending
    )
    SELECT p.ledger_id, p.account_id, p.currency, {effective_day}, {recorded_day},
      sum(CASE WHEN p.side = 'debit' THEN p.amount ELSE 0 END),
      sum(CASE WHEN p.side = 'debit' THEN 0 ELSE p.amount END),
      0, 0
    FROM postings p
    JOIN transactions t ON t.ledger_id = p.ledger_id AND t.id = p.transaction_id
    GROUP BY 1, 2, 3, 4, 5
"""
DAY_OF = {"postgresql": "({} AT TIME ZONE 'UTC')::date", "sqlite": "substr({}, 1, 10)"}


def upgrade() -> None:
    _create_day_totals()
    day_of = DAY_OF[op.get_context().dialect.name]
    effective_day, recorded_day = day_of.format("p.effective_at"), day_of.format("t.recorded_at")
    op.execute(FILL.format(effective_day=effective_day, recorded_day=recorded_day))
    op.create_index("ix_postings_account", "postings", ["ledger_id", "account_id", "transaction_id"])


def downgrade() -> None:
    op.drop_index("ix_postings_account", "postings")
    op.drop_table("day_totals")


def _create_day_totals() -> None:
    op.create_table(
        "day_totals",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("effective_day", DAY, nullable=False),
        sa.Column("recorded_day", DAY, nullable=False),
        sa.Column("debits_posted", INT64, nullable=False),
        sa.Column("credits_posted", INT64, nullable=False),
        sa.Column("debits_pending", INT64, nullable=False),
        sa.Column("credits_pending", INT64, nullable=False),
        sa.PrimaryKeyConstraint(
            "ledger_id", "account_id", "currency", "effective_day", "recorded_day", name="pk_day_totals"
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id", "currency"],
            ["balances.ledger_id", "balances.account_id", "balances.currency"],
            name="fk_day_totals_balances",
        ),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
    )
