"""Total what each month added to a balance above each day, and count the lines.

Revision: 0013, after 0012. Made: 2026-11-29.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DAY = sa.Date().with_variant(sa.Text(), "sqlite")

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
BALANCE = ("ledger_id", "account_id", "currency")

# How many lines a day has is not told by its totals, so they are counted.
FILL_DAYS = """
    INSERT INTO period_totals (
      ledger_id, account_id, currency, grain, effective_from, recorded_from,
      debits_posted, credits_posted, debits_pending, credits_pending, lines
    )
    SELECT d.ledger_id, d.account_id, d.currency, 'day', d.effective_day, d.recorded_day,
      d.debits_posted, d.credits_posted, d.debits_pending, d.credits_pending, counted.lines
    FROM day_totals d
    JOIN (
      SELECT p.ledger_id, p.account_id, p.currency, {effective_day} AS effective_day, {recorded_day} AS recorded_day,
        count(*) AS lines
      FROM postings p
      JOIN transactions t ON t.ledger_id = p.ledger_id AND t.id = p.transaction_id
      GROUP BY 1, 2, 3, 4, 5
    ) counted ON counted.ledger_id = d.ledger_id AND counted.account_id = d.account_id
      AND counted.currency = d.currency AND counted.effective_day = d.effective_day
      AND counted.recorded_day = d.recorded_day
"""
FILL_MONTHS = """
    INSERT INTO period_totals (
      ledger_id, account_id, currency, grain, effective_from, recorded_from,
      debits_posted, credits_posted, debits_pending, credits_pending, lines
    )
    SELECT ledger_id, account_id, currency, 'month', {effective_month}, {recorded_month},
      sum(debits_posted), sum(credits_posted), sum(debits_pending), sum(credits_pending), sum(lines)
    FROM period_totals
    WHERE grain = 'day'
    GROUP BY 1, 2, 3, 5, 6
"""
EMPTY = """
    INSERT INTO day_totals (
      ledger_id, account_id, currency, effective_day, recorded_day,
      debits_posted, credits_posted, debits_pending, credits_pending
    )
    SELECT ledger_id, account_id, currency, effective_from, recorded_from,
      debits_posted, credits_posted, debits_pending, credits_pending
    FROM period_totals
    WHERE grain = 'day'
"""
DAY_OF = {"postgresql": "({} AT TIME ZONE 'UTC')::date", "sqlite": "substr({}, 1, 10)"}
MONTH_OF = {"postgresql": "date_trunc('month', {}::timestamp)::date", "sqlite": "substr({}, 1, 8) || '01'"}


def upgrade() -> None:
    _create_period_totals()
    dialect = op.get_context().dialect.name
    day_of, month_of = DAY_OF[dialect], MONTH_OF[dialect]
    op.execute(
        FILL_DAYS.format(effective_day=day_of.format("p.effective_at"), recorded_day=day_of.format("t.recorded_at"))
    )
    op.execute(
        FILL_MONTHS.format(
            effective_month=month_of.format("effective_from"), recorded_month=month_of.format("recorded_from")
        )
    )
    op.drop_table("day_totals")


def downgrade() -> None:
    _create_day_totals()
    op.execute(EMPTY)
    op.drop_table("period_totals")


def _create_period_totals() -> None:
    op.create_table(
        "period_totals",
        *(sa.Column(name, type_, nullable=False) for name, type_ in zip(BALANCE, (ID, ID, TEXT), strict=True)),
        sa.Column("grain", TEXT, nullable=False),
        sa.Column("effective_from", DAY, nullable=False),
        sa.Column("recorded_from", DAY, nullable=False),
        sa.Column("debits_posted", INT64, nullable=False),
        sa.Column("credits_posted", INT64, nullable=False),
        sa.Column("debits_pending", INT64, nullable=False, server_default="0"),
        sa.Column("credits_pending", INT64, nullable=False, server_default="0"),
        sa.Column("lines", INT64, nullable=False),
        sa.PrimaryKeyConstraint(
            "ledger_id", "account_id", "grain", "effective_from", "recorded_from", "currency", name="pk_period_totals"
        ),
        sa.ForeignKeyConstraint(BALANCE, [f"balances.{name}" for name in BALANCE], name="fk_period_totals_balances"),
        sa.CheckConstraint("grain IN ('day', 'month')", name=op.f("ck_period_totals_grain")),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_period_totals_recorded",
        "period_totals",
        ["ledger_id", "account_id", "grain", "recorded_from", "effective_from"],
    )


def _create_day_totals() -> None:
    op.create_table(
        "day_totals",
        *(sa.Column(name, type_, nullable=False) for name, type_ in zip(BALANCE, (ID, ID, TEXT), strict=True)),
        sa.Column("effective_day", DAY, nullable=False),
        sa.Column("recorded_day", DAY, nullable=False),
        *(sa.Column(name, INT64, nullable=False) for name in COUNTERS),
        sa.PrimaryKeyConstraint(*BALANCE, "effective_day", "recorded_day", name="pk_day_totals"),
        sa.ForeignKeyConstraint(BALANCE, [f"balances.{name}" for name in BALANCE], name="fk_day_totals_balances"),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
    )
