"""Draw an event's place as it is written, to number events in that order once they are visible.

Revision: 0004, after 0003. Made: 2026-11-24. The table `events` was never written before, so it is made anew; what was
recorded until now has its events from here on, in the order it was recorded.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
JSON = postgresql.JSONB().with_variant(sa.Text(), "sqlite")

PLACES = sa.Sequence("events_place")

FILL = """
    INSERT INTO events (ledger_id, id, place, type, payload, recorded_at)
    SELECT ledger_id, id, row_number() OVER (ORDER BY id), 'transaction.posted', '{}', recorded_at
    FROM transactions
    ORDER BY id
"""
CONTINUE = "SELECT setval('events_place', (SELECT count(*) + 1 FROM events), false)"


def upgrade() -> None:
    op.drop_table("events")
    _create_events()
    op.execute(FILL)
    # SQLite has one writer at a time, and counts the rows.
    if op.get_context().dialect.name == "postgresql":
        op.execute(sa.schema.CreateSequence(PLACES))
        op.execute(CONTINUE)


def downgrade() -> None:
    op.drop_table("events")
    if op.get_context().dialect.name == "postgresql":
        op.execute(sa.schema.DropSequence(PLACES))
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


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("ledger_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("place", INT64, nullable=False),
        sa.Column("seq", INT64),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "id", name="pk_events"),
        sa.UniqueConstraint("ledger_id", "seq", name="uq_events_ledger_id_seq"),
        sqlite_strict=True,
    )
    where = sa.text("seq IS NULL")
    op.create_index(
        "ix_events_unnumbered", "events", ["ledger_id", "place"], sqlite_where=where, postgresql_where=where
    )
