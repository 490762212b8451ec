"""The tables of bank statements. What is kept here explains the ledger; the money itself is in postings."""

from __future__ import annotations

import sqlalchemy as sa

from myapp.ledger.bank.model import How, State
from myapp.ledger.columns import Day, Flag, Id, Int32, Int64, JsonText, Text, Time
from myapp.ledger.model import Side
from myapp.ledger.tables import metadata


def _one_of(column: str, values: type[State | How | Side]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


# `against_id` is the account whose postings a line is matched with: the clearing account, or the bank account itself
# where the business records on it directly. Then the import recorded nothing, and there is no transaction.
bank_lines = sa.Table(
    "bank_lines",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("account_id", Id, nullable=False),
    sa.Column("against_id", Id, nullable=False),
    sa.Column("booked_on", Day, nullable=False),
    sa.Column("side", Text, nullable=False),
    sa.Column("currency", Text, nullable=False),
    sa.Column("amount", Int64, nullable=False),
    # What makes the line the same line in another file: see fingerprints.py.
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("details", JsonText, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("transaction_id", Id),
    sa.Column("imported_at", Time, nullable=False),
    sa.ForeignKeyConstraint(
        ["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"], name="fk_bank_lines_account"
    ),
    sa.ForeignKeyConstraint(
        ["ledger_id", "against_id"], ["accounts.ledger_id", "accounts.id"], name="fk_bank_lines_against"
    ),
    sa.ForeignKeyConstraint(["ledger_id", "transaction_id"], ["transactions.ledger_id", "transactions.id"]),
    sa.UniqueConstraint("ledger_id", "account_id", "fingerprint", name="uq_bank_lines_fingerprint"),
    sa.Index(
        "uq_bank_lines_transaction_id",
        "ledger_id",
        "transaction_id",
        unique=True,
        sqlite_where=sa.text("transaction_id IS NOT NULL"),
        postgresql_where=sa.text("transaction_id IS NOT NULL"),
    ),
    sa.Index("ix_bank_lines_booked_on", "ledger_id", "account_id", "booked_on", "id"),
    sa.Index("ix_bank_lines_state", "ledger_id", "account_id", "state", "booked_on", "id"),
    _one_of("side", Side),
    _one_of("state", State),
    sa.CheckConstraint("amount > 0", name="amount"),
    sqlite_strict=True,
)

# A line is matched once, by the primary key; so is a posting, by the other.
bank_matches = sa.Table(
    "bank_matches",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("line_id", Id, primary_key=True),
    sa.Column("transaction_id", Id, nullable=False),
    sa.Column("posting_line", Int32, nullable=False),
    sa.Column("how", Text, nullable=False),
    sa.Column("matched_at", Time, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id", "line_id"], ["bank_lines.ledger_id", "bank_lines.id"]),
    sa.ForeignKeyConstraint(
        ["ledger_id", "transaction_id", "posting_line"],
        ["postings.ledger_id", "postings.transaction_id", "postings.line"],
    ),
    sa.UniqueConstraint("ledger_id", "transaction_id", "posting_line", name="uq_bank_matches_posting"),
    _one_of("how", How),
    sqlite_strict=True,
)

# What was rejected stays, so that it is not proposed again.
bank_proposals = sa.Table(
    "bank_proposals",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("line_id", Id, primary_key=True),
    sa.Column("transaction_id", Id, primary_key=True),
    sa.Column("posting_line", Int32, primary_key=True),
    sa.Column("score", Int32, nullable=False),
    sa.Column("reasons", JsonText, nullable=False),
    sa.Column("rejected", Flag, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id", "line_id"], ["bank_lines.ledger_id", "bank_lines.id"]),
    sa.ForeignKeyConstraint(
        ["ledger_id", "transaction_id", "posting_line"],
        ["postings.ledger_id", "postings.transaction_id", "postings.line"],
    ),
    sa.Index("ix_bank_proposals_posting", "ledger_id", "transaction_id", "posting_line"),
    sqlite_strict=True,
)
