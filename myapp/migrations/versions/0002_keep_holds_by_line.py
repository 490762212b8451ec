"""Keep what is left of a hold line by line, and say of each posting which counters it moves.

Revision: 0002, after 0001. Made: 2026-11-24. The table `holds` was never written before, so it is made anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT32 = sa.Integer()
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")

EFFECTS = "effect IN ('posted', 'pending', 'taken', 'released')"
STATES = "state IN ('posted', 'pending', 'voided', 'expired')"


def upgrade() -> None:
    _tell_effects()
    op.drop_table("holds")
    _create_holds()
    _create_hold_lines()
    where = sa.text("pending_of IS NOT NULL")
    op.create_index(
        "ix_transactions_pending_of",
        "transactions",
        ["ledger_id", "pending_of"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    if not op.get_context().as_sql and op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT 1 FROM holds)")):
        raise RuntimeError("The schema before cannot tell the holds that were recorded from what is posted.")
    op.drop_index("ix_transactions_pending_of", "transactions")
    op.drop_table("hold_lines")
    op.drop_table("holds")
    _recreate_holds()
    # SQLite drops the column's constraint with it.
    if op.get_context().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_postings_effect"), "postings")
    op.drop_column("postings", "effect")


def _tell_effects() -> None:
    if op.get_context().dialect.name == "sqlite":
        # SQLite adds a constraint only with its column, and Alembic would copy the table.
        op.execute(
            "ALTER TABLE postings ADD COLUMN effect TEXT DEFAULT 'posted' NOT NULL "
            f"CONSTRAINT ck_postings_effect CHECK ({EFFECTS})"
        )
        return
    op.add_column("postings", sa.Column("effect", TEXT, server_default="posted", nullable=False))
    op.create_check_constraint(op.f("ck_postings_effect"), "postings", EFFECTS)


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("posts", INT32, nullable=False),
        sa.Column("reversed_posts", INT32, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "transaction_id", name="pk_holds"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "transaction_id"], ["transactions.ledger_id", "transactions.id"], name="fk_holds_transactions"
        ),
        sa.CheckConstraint(STATES, name=op.f("ck_holds_state")),
        sa.CheckConstraint("reversed_posts BETWEEN 0 AND posts", name=op.f("ck_holds_reversed_posts")),
        sqlite_strict=True,
    )
    _index_pending("ix_holds_pending", "transaction_id", "state = 'pending'")
    _index_pending("ix_holds_expires_at", "expires_at", "state = 'pending' AND expires_at IS NOT NULL")


def _index_pending(name: str, column: str, where: str) -> None:
    op.create_index(name, "holds", ["ledger_id", column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _create_hold_lines() -> None:
    op.create_table(
        "hold_lines",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("line", INT32, nullable=False),
        sa.Column("remaining", INT64, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "transaction_id", "line", name="pk_hold_lines"),
        sa.ForeignKeyConstraint(
            ["ledger_id", "transaction_id"], ["holds.ledger_id", "holds.transaction_id"], name="fk_hold_lines_holds"
        ),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_hold_lines_remaining")),
        sqlite_strict=True,
    )


def _recreate_holds() -> None:
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
