"""Have PostgreSQL keep no statistics of `ledger_id`, so that it expects as much of a new ledger as of any other.

Revision: 0014, after 0013. Made: 2026-11-30. No row is touched; the partial indexes of PostgreSQL are made anew, which
takes some seconds for a million transactions with references. Nothing is done on SQLite. See
docs/decisions/0031-plans.md.
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


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN ledger_id SET STATISTICS 0")
        # To the type that it has, which forgets what was gathered. Partial indexes alone are made anew by it.
        op.execute(f"ALTER TABLE {table} ALTER COLUMN ledger_id TYPE uuid")


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN ledger_id SET STATISTICS -1")
