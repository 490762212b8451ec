"""The ledger's tables.

Units: amounts and counters are 64-bit integers in the currency's smallest unit, `net` is debits less credits,
times are aware UTC. Every primary key begins with the ledger, and so does every query: rows of one ledger lie
together, and the schema distributes by that column. Only `ledgers` itself and `api_keys` stand outside.

There are no triggers; what must hold is a constraint, or the predicate of the statement that writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from myapp.ledger import model
from myapp.ledger.columns import Bytes, Day, DayOf, Flag, Id, Int32, Int64, JsonText, Text, Time
from myapp.ledger.grains import Grain

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)


def _one_of(column: str, values: Sequence[str]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _not_negative(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} >= 0", name=column)


ledgers = sa.Table(
    "ledgers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("metadata", JsonText, nullable=False),
    # No effective time before this one is accepted.
    sa.Column("locked_before", Time),
    sa.Column("version", Int64, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("name"),
    sqlite_strict=True,
)

currencies = sa.Table(
    "currencies",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("code", Text, primary_key=True),
    sa.Column("exponent", Int32, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sa.CheckConstraint("exponent BETWEEN 0 AND 18", name="exponent"),
    sqlite_strict=True,
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("path", Text, nullable=False),
    sa.Column("type", Text, nullable=False),
    # The currencies the account takes; NULL is any.
    sa.Column("currencies", JsonText),
    sa.Column("metadata", JsonText, nullable=False),
    sa.Column("closed_at", Time),
    sa.Column("version", Int64, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sa.UniqueConstraint("ledger_id", "path"),
    _one_of("type", list(model.AccountType)),
    sqlite_strict=True,
)

# The only hot rows. Updates change no indexed column, so with room in each page they stay within it.
# The limits are here, not on the account: see docs/decisions/0003-limits-on-balances.md.
balances = sa.Table(
    "balances",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("account_id", Id, primary_key=True),
    sa.Column("currency", Text, primary_key=True),
    sa.Column("debits_posted", Int64, nullable=False),
    sa.Column("credits_posted", Int64, nullable=False),
    sa.Column("debits_pending", Int64, nullable=False),
    sa.Column("credits_pending", Int64, nullable=False),
    # The number of postings so far.
    sa.Column("version", Int64, nullable=False),
    sa.Column("net_min", Int64),
    sa.Column("net_max", Int64),
    # Whether the account is closed, under the lock that moves the money: Note [Closing an account] in accounts.py.
    sa.Column("closed", Flag, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
    *map(_not_negative, ["debits_posted", "credits_posted", "debits_pending", "credits_pending", "version"]),
    postgresql_with={"fillfactor": 70},
    sqlite_strict=True,
)

# No foreign key to `ledgers`: every writer would share-lock that one row. The postings lead there through their
# balances.
transactions = sa.Table(
    "transactions",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("reference", Text),
    sa.Column("status", Text, nullable=False),
    sa.Column("effective_at", Time, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
    sa.Column("description", Text),
    sa.Column("metadata", JsonText, nullable=False),
    sa.Column("pending_of", Id),
    sa.Column("reverses", Id),
    sa.Column("expires_at", Time),
    # In UTC; made by the database.
    sa.Column("effective_day", Day, DayOf("effective_at"), nullable=False),
    sa.ForeignKeyConstraint(
        ["ledger_id", "pending_of"], ["transactions.ledger_id", "transactions.id"], name="fk_transactions_pending_of"
    ),
    sa.ForeignKeyConstraint(
        ["ledger_id", "reverses"], ["transactions.ledger_id", "transactions.id"], name="fk_transactions_reverses"
    ),
    # Partial, so that the many transactions without one are in neither index.
    sa.Index(
        "uq_transactions_reference",
        "ledger_id",
        "reference",
        unique=True,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    ),
    sa.Index(
        "uq_transactions_reverses",
        "ledger_id",
        "reverses",
        unique=True,
        sqlite_where=sa.text("reverses IS NOT NULL"),
        postgresql_where=sa.text("reverses IS NOT NULL"),
    ),
    # What became of a hold.
    sa.Index(
        "ix_transactions_pending_of",
        "ledger_id",
        "pending_of",
        sqlite_where=sa.text("pending_of IS NOT NULL"),
        postgresql_where=sa.text("pending_of IS NOT NULL"),
    ),
    # By day, so that those of a period are read newest first, day by day. See docs/decisions/0018-search.md.
    sa.Index("ix_transactions_effective_day", "ledger_id", "effective_day", "id"),
    # What it was recorded as; what became of a hold is in `holds`.
    _one_of("status", [model.Status.POSTED, model.Status.PENDING]),
    sqlite_strict=True,
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("transaction_id", Id, primary_key=True),
    sa.Column("line", Int32, primary_key=True),
    sa.Column("account_id", Id, nullable=False),
    sa.Column("currency", Text, nullable=False),
    sa.Column("side", Text, nullable=False),
    sa.Column("amount", Int64, nullable=False),
    # The four counters and the version of the balance as this posting left them.
    sa.Column("debits_posted", Int64, nullable=False),
    sa.Column("credits_posted", Int64, nullable=False),
    sa.Column("debits_pending", Int64, nullable=False),
    sa.Column("credits_pending", Int64, nullable=False),
    sa.Column("balance_version", Int64, nullable=False),
    # A copy of the transaction's, so that a statement reads one index.
    sa.Column("effective_at", Time, nullable=False),
    # Which counters the amount moves. See model.Effect.
    sa.Column("effect", Text, nullable=False, server_default=model.Effect.POSTED.value),
    sa.ForeignKeyConstraint(["ledger_id", "transaction_id"], ["transactions.ledger_id", "transactions.id"]),
    sa.ForeignKeyConstraint(
        ["ledger_id", "account_id", "currency"],
        ["balances.ledger_id", "balances.account_id", "balances.currency"],
    ),
    sa.UniqueConstraint("ledger_id", "account_id", "currency", "balance_version", name="uq_postings_balance_version"),
    sa.Index("ix_postings_statement", "ledger_id", "account_id", "effective_at", "balance_version", "currency"),
    # Ids sort by recorded time, so this also finds what an account was given since then.
    sa.Index("ix_postings_account", "ledger_id", "account_id", "transaction_id"),
    sa.Index("ix_postings_amount", "ledger_id", "currency", "amount", "transaction_id"),
    _one_of("side", list(model.Side)),
    _one_of("effect", list(model.Effect)),
    sa.CheckConstraint("amount > 0", name="amount"),
    _not_negative("line"),
    sqlite_strict=True,
)

# What transactions are found by beside their columns. See terms.py. No foreign key: it says nothing of its own.
transaction_terms = sa.Table(
    "transaction_terms",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("term", Int64, primary_key=True, autoincrement=False),
    sa.Column("transaction_id", Id, primary_key=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What so many postings have added to the counters of a balance, less where they release what was pending: those that
# count in one day (or month) and were recorded in one. See grains.py and docs/decisions/0017-period-totals.md.
period_totals = sa.Table(
    "period_totals",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("account_id", Id, primary_key=True),
    sa.Column("grain", Text, primary_key=True),
    sa.Column("effective_from", Day, primary_key=True),
    sa.Column("recorded_from", Day, primary_key=True),
    sa.Column("currency", Text, primary_key=True),
    sa.Column("debits_posted", Int64, nullable=False),
    sa.Column("credits_posted", Int64, nullable=False),
    sa.Column("debits_pending", Int64, nullable=False, server_default="0"),
    sa.Column("credits_pending", Int64, nullable=False, server_default="0"),
    sa.Column("lines", Int64, nullable=False),
    sa.ForeignKeyConstraint(
        ["ledger_id", "account_id", "currency"],
        ["balances.ledger_id", "balances.account_id", "balances.currency"],
    ),
    sa.Index("ix_period_totals_recorded", "ledger_id", "account_id", "grain", "recorded_from", "effective_from"),
    _one_of("grain", list(Grain)),
    postgresql_with={"fillfactor": 70},
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The one mutable row of a hold. It was posted `posts` times, and of those so many are reversed.
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("transaction_id", Id, primary_key=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("expires_at", Time),
    sa.Column("posts", Int32, nullable=False),
    sa.Column("reversed_posts", Int32, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id", "transaction_id"], ["transactions.ledger_id", "transactions.id"]),
    # Those that wait, to be listed and to be swept.
    sa.Index(
        "ix_holds_pending",
        "ledger_id",
        "transaction_id",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index("ix_holds_state", "ledger_id", "state", "transaction_id"),
    sa.Index(
        "ix_holds_expires_at",
        "ledger_id",
        "expires_at",
        sqlite_where=sa.text("state = 'pending' AND expires_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'pending' AND expires_at IS NOT NULL"),
    ),
    _one_of("state", [state.value for state in model.Status]),
    sa.CheckConstraint("reversed_posts BETWEEN 0 AND posts", name="reversed_posts"),
    sqlite_strict=True,
)

# What is left of each posting of a hold. Never below zero: a hold is not taken twice.
hold_lines = sa.Table(
    "hold_lines",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("transaction_id", Id, primary_key=True),
    sa.Column("line", Int32, primary_key=True),
    sa.Column("remaining", Int64, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id", "transaction_id"], ["holds.ledger_id", "holds.transaction_id"]),
    _not_negative("remaining"),
    sqlite_strict=True,
)

# What one unit of a currency is worth in another from a time on. Never changed: of those of one time the one recorded
# last counts, so that what was known earlier can still be told.
prices = sa.Table(
    "prices",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("currency", Text, nullable=False),
    sa.Column("quote", Text, nullable=False),
    sa.Column("effective_at", Time, nullable=False),
    # A decimal as text: exact, and with the digits it was given.
    sa.Column("price", Text, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
    sa.ForeignKeyConstraint(
        ["ledger_id", "currency"], ["currencies.ledger_id", "currencies.code"], name="fk_prices_currency"
    ),
    sa.ForeignKeyConstraint(
        ["ledger_id", "quote"], ["currencies.ledger_id", "currencies.code"], name="fk_prices_quote"
    ),
    sa.Index("ix_prices_newest", "ledger_id", "currency", "quote", "effective_at", "id"),
    sa.CheckConstraint("currency <> quote", name="quote"),
    sqlite_strict=True,
)

# `ledger_id` is the scope of the key, which is no ledger where a ledger is being made; hence no foreign key.
idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("request_hash", Bytes, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    # What a repeat is answered with: these transactions, 16 bytes each, or the very answer.
    sa.Column("transaction_ids", Bytes),
    sa.Column("status", Int32),
    sa.Column("body", Bytes),
    sqlite_strict=True,
)

# Where the places of events are drawn; SQLite has one writer at a time, and counts the rows.
event_places = sa.Sequence("events_place", metadata=metadata)

# Written with the effect. `place` is drawn as the row is written, under the locks of what it tells of; `seq` is given
# once the row is visible, so that no reader ever skips one. The payload of a transaction's event is the transaction.
events = sa.Table(
    "events",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("place", Int64, nullable=False),
    sa.Column("seq", Int64),
    sa.Column("type", Text, nullable=False),
    sa.Column("payload", JsonText, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
    sa.UniqueConstraint("ledger_id", "seq"),
    sa.Index(
        "ix_events_unnumbered",
        "ledger_id",
        "place",
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    ),
    sqlite_strict=True,
)

# The epochs of events that are sealed: their leaves' hashes (32 bytes each, in the order of `seq`), the root of the
# Merkle tree over them, and the hash that chains this seal to the one before. See docs/tamper-evidence.md.
seals = sa.Table(
    "seals",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("epoch", Int64, primary_key=True),
    sa.Column("first_seq", Int64, nullable=False),
    sa.Column("last_seq", Int64, nullable=False),
    # How the leaves are spelled.
    sa.Column("format", Int32, nullable=False),
    sa.Column("leaves", Bytes, nullable=False),
    sa.Column("root", Bytes, nullable=False),
    sa.Column("previous", Bytes, nullable=False),
    sa.Column("hash", Bytes, nullable=False),
    sa.Column("sealed_at", Time, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sa.UniqueConstraint("ledger_id", "last_seq"),
    sa.CheckConstraint("epoch >= 1", name="epoch"),
    sa.CheckConstraint("first_seq BETWEEN 1 AND last_seq", name="first_seq"),
    sqlite_strict=True,
)

# How far an incremental verification has come: to this event, and all up to it held together.
verify_checkpoints = sa.Table(
    "verify_checkpoints",
    metadata,
    sa.Column("ledger_id", Id, primary_key=True),
    sa.Column("last_seq", Int64, nullable=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("verified_at", Time, nullable=False),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sqlite_strict=True,
)

# A key without a ledger opens all of them, so the ledger cannot begin its primary key.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("secret_hash", Bytes, nullable=False),
    sa.Column("scope", Text, nullable=False),
    sa.Column("ledger_id", Id),
    sa.Column("name", Text),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("revoked_at", Time),
    sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
    sa.UniqueConstraint("secret_hash"),
    _one_of("scope", ["read", "write", "admin"]),
    sqlite_strict=True,
)
