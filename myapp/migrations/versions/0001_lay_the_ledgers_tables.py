"""Lay the ledger's tables.

Revision: 0001, the first. Made: 2026-11-23.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite's tables are STRICT: ids are BLOBs there, times and JSON are text.
ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT32 = sa.Integer()
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
JSON = postgresql.JSONB().with_variant(sa.Text(), "sqlite")
BYTES = sa.LargeBinary()
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "ledgers",
    "currencies",
    "accounts",
    "balances",
    "transactions",
    "postings",
    "holds",
    "idempotency",
    "events",
    "api_keys",
)


def upgrade() -> None:
    _create_ledgers()
    _create_currencies()
    _create_accounts()
    _create_balances()
    _create_transactions()
    _create_postings()
    _create_holds()
    _create_idempotency()
    _create_events()
    _create_api_keys()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_ledgers() -> None:
    op.create_table(
        "ledgers",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("locked_before", TIME),
        sa.Column("version", INT64, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledgers"),
        sa.UniqueConstraint("name", name="uq_ledgers_name"),
        sqlite_strict=True,
    )


def _create_currencies() -> None:
    op.create_table(
        "currencies",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("exponent", INT32, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "code", name="pk_currencies"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_currencies_ledgers"),
        sa.CheckConstraint("exponent BETWEEN 0 AND 18", name=op.f("ck_currencies_exponent")),
        sqlite_strict=True,
    )


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("currencies", JSON),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("version", INT64, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_accounts_ledgers"),
        sa.UniqueConstraint("ledger_id", "path", name="uq_accounts_ledger_id_path"),
        sa.CheckConstraint(
            "type IN ('asset', 'liability', 'equity', 'income', 'expense')", name=op.f("ck_accounts_type")
        ),
        sqlite_strict=True,
    )


def _create_balances() -> None:
    op.create_table(
        "balances",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("debits_posted", INT64, nullable=False),
        sa.Column("credits_posted", INT64, nullable=False),
        sa.Column("debits_pending", INT64, nullable=False),
        sa.Column("credits_pending", INT64, nullable=False),
        sa.Column("version", INT64, nullable=False),
        sa.Column("net_min", INT64),
        sa.Column("net_max", INT64),
        sa.Column("closed", FLAG, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "account_id", "currency", name="pk_balances"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"], name="fk_balances_accounts"
        ),
        sa.CheckConstraint("debits_posted >= 0", name=op.f("ck_balances_debits_posted")),
        sa.CheckConstraint("credits_posted >= 0", name=op.f("ck_balances_credits_posted")),
        sa.CheckConstraint("debits_pending >= 0", name=op.f("ck_balances_debits_pending")),
        sa.CheckConstraint("credits_pending >= 0", name=op.f("ck_balances_credits_pending")),
        sa.CheckConstraint("version >= 0", name=op.f("ck_balances_version")),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
    )


def _create_transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("reference", TEXT),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("effective_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("description", TEXT),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("pending_of", ID),
        sa.Column("reverses", ID),
        sa.Column("expires_at", TIME),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_transactions"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "pending_of"],
            ["transactions.ledger_id", "transactions.id"],
            name="fk_transactions_pending_of",
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "reverses"], ["transactions.ledger_id", "transactions.id"], name="fk_transactions_reverses"
        ),
        sa.CheckConstraint("status IN ('posted', 'pending')", name=op.f("ck_transactions_status")),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_transactions_reverses",
        "transactions",
        ["ledger_id", "reverses"],
        unique=True,
        sqlite_where=sa.text("reverses IS NOT NULL"),
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.create_index(
        "uq_transactions_reference",
        "transactions",
        ["ledger_id", "reference"],
        unique=True,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )


def _create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("line", INT32, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("amount", INT64, nullable=False),
        sa.Column("debits_posted", INT64, nullable=False),
        sa.Column("credits_posted", INT64, nullable=False),
        sa.Column("debits_pending", INT64, nullable=False),
        sa.Column("credits_pending", INT64, nullable=False),
        sa.Column("balance_version", INT64, nullable=False),
        sa.Column("effective_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "transaction_id", "line", name="pk_postings"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "transaction_id"],
            ["transactions.ledger_id", "transactions.id"],
            name="fk_postings_transactions",
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id", "currency"],
            ["balances.ledger_id", "balances.account_id", "balances.currency"],
            name="fk_postings_balances",
        ),
        sa.UniqueConstraint(
            "ledger_id", "account_id", "currency", "balance_version", name="uq_postings_balance_version"
        ),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_postings_side")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_postings_amount")),
        sa.CheckConstraint("line >= 0", name=op.f("ck_postings_line")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_postings_statement",
        "postings",
        ["ledger_id", "account_id", "effective_at", "balance_version", "currency"],
    )


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("remaining", INT64, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "transaction_id", name="pk_holds"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "transaction_id"], ["transactions.ledger_id", "transactions.id"], name="fk_holds_transactions"
        ),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_holds_remaining")),
        sa.CheckConstraint("state IN ('pending', 'posted', 'voided', 'expired')", name=op.f("ck_holds_state")),
        sqlite_strict=True,
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("request_hash", BYTES, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("transaction_ids", BYTES),
        sa.Column("status", INT32),
        sa.Column("body", BYTES),
        sa.PrimaryKeyConstraint("ledger_id", "key", name="pk_idempotency"),
        sqlite_strict=True,
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("seq", INT64),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_events"),
        sa.UniqueConstraint("ledger_id", "seq", name="uq_events_ledger_id_seq"),
        sqlite_strict=True,
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("secret_hash", BYTES, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("ledger_id", ID),
        sa.Column("name", TEXT),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name="fk_api_keys_ledgers"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
        sa.CheckConstraint("scope IN ('read', 'write', 'admin')", name=op.f("ck_api_keys_scope")),
        sqlite_strict=True,
    )
