"""Have PostgreSQL keep no statistics of `ledger_id`, so that it expects as much of a new ledger as of any other.

Revision: 0014, after 0013. Made: 2026-11-30. No row is touched; nothing is done on SQLite. What was gathered before is
forgotten as of PostgreSQL 18; an older one keeps it until a superuser removes it. See docs/decisions/0031-plans.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES: Sequence[str] = (
    "accounts",
    "api_keys",
    "balances",
    "bank_lines",
    "bank_matches",
    "bank_proposals",
    "currencies",
    "events",
    "hold_lines",
    "holds",
    "idempotency",
    "period_totals",
    "postings",
    "prices",
    "seals",
    "transaction_terms",
    "transactions",
    "verify_checkpoints",
    "webhooks",
)
FORGET = """
    DO $$
    BEGIN
      IF current_setting('server_version_num')::int >= 180000 THEN
        PERFORM pg_clear_attribute_stats(current_schema()::text, '{table}', 'ledger_id', false);
      END IF;
    END
    $$
"""


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN ledger_id SET STATISTICS 0")
        op.execute(FORGET.format(table=table))


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN ledger_id SET STATISTICS -1")
