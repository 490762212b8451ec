"""The table of webhooks."""

from __future__ import annotations

import sqlalchemy as sa

from myapp.ledger import model
from myapp.ledger.columns import Bytes, Id, Int32, Int64, JsonText, Text, Time
from myapp.ledger.tables import metadata

STATES = ", ".join(f"'{state.value}'" for state in model.WebhookState)

# Where the events of a ledger are sent. `position` is the number of the last event that a webhook is done with, `lease`
# whose turn it is to send to it, until when.
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("url", Text, nullable=False),
    # The types of events it gets; NULL is all.
    sa.Column("types", JsonText),
    sa.Column("description", Text),
    # As they are, since every message is signed with them; the previous one is good until a time.
    sa.Column("secret", Bytes, nullable=False),
    sa.Column("previous_secret", Bytes),
    sa.Column("previous_until", Time),
    sa.Column("state", Text, nullable=False),
    sa.Column("position", Int64, nullable=False),
    # In a row.
    sa.Column("failures", Int32, nullable=False),
    sa.Column("failing_since", Time),
    sa.Column("last_error", Text),
    # Not to be tried before.
    sa.Column("due_at", Time, nullable=False),
    sa.Column("lease", Id),
    sa.Column("leased_until", Time),
    sa.Column("created_at", Time, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sa.CheckConstraint(f"state IN ({STATES})", name="state"),
    sqlite_strict=True,
)
