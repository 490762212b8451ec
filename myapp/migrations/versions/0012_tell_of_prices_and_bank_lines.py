"""Give each price the id of its event, and each bank line an event of its own, so that rows and events can be compared.

Revision: 0012, after 0011. Made: 2026-11-24. No table changes. Followers of a ledger with bank lines see an event
`bank_line.imported` for each; it carries the time at which the line was imported.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(), "sqlite")
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
DAY = sa.Text().with_variant(sa.Date(), "postgresql")
PORTION = 1_000
PLACE = {
    "postgresql": "nextval('events_place')",
    "sqlite": "(SELECT coalesce(max(rowid), 0) + 1 FROM events)",
}
RECORDED, IMPORTED = "price.recorded", "bank_line.imported"

EVENTS = sa.table(
    "events",
    sa.column("ledger_id", ID),
    sa.column("id", ID),
    sa.column("place", sa.BigInteger()),
    sa.column("type", sa.Text()),
    sa.column("payload", JSON),
    sa.column("recorded_at", TIME),
)
PRICES = sa.table(
    "prices",
    sa.column("ledger_id", ID),
    sa.column("id", ID),
    sa.column("currency", sa.Text()),
    sa.column("quote", sa.Text()),
    sa.column("effective_at", TIME),
    sa.column("price", sa.Text()),
    sa.column("recorded_at", TIME),
)
LINES = sa.table(
    "bank_lines",
    sa.column("ledger_id", ID),
    sa.column("id", ID),
    sa.column("account_id", ID),
    sa.column("against_id", ID),
    sa.column("booked_on", DAY),
    sa.column("side", sa.Text()),
    sa.column("currency", sa.Text()),
    sa.column("amount", sa.BigInteger()),
    sa.column("fingerprint", sa.Text()),
    sa.column("details", JSON),
    sa.column("transaction_id", ID),
    sa.column("imported_at", TIME),
)
ACCOUNTS = sa.table("accounts", sa.column("ledger_id", ID), sa.column("id", ID), sa.column("path", sa.Text()))


def upgrade() -> None:
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    for ledger_id in connection.scalars(sa.select(PRICES.c.ledger_id).distinct()).all():
        _rename_prices(connection, ledger_id)
    for ledger_id in connection.scalars(sa.select(LINES.c.ledger_id).distinct()).all():
        _tell_of_lines(connection, ledger_id)


def downgrade() -> None:
    """Leave the prices' new ids; what was told of lines cannot be taken back, since it may have been read."""
    if op.get_context().as_sql:
        return
    told = sa.select(EVENTS.c.id).where(EVENTS.c.type == IMPORTED).limit(1)
    if op.get_bind().execute(told).first() is not None:
        raise RuntimeError(f"There are events of the type {IMPORTED}, which the release before does not know.")


def _rename_prices(connection: sa.Connection, ledger_id: Any) -> None:
    """Match prices with events that say the same, in the order of both, so that of two the later one stays so."""
    of_prices = sa.select(PRICES).where(PRICES.c.ledger_id == ledger_id).order_by(PRICES.c.id)
    of_events = sa.select(EVENTS).where(EVENTS.c.ledger_id == ledger_id, EVENTS.c.type == RECORDED)
    told: dict[Any, deque[Any]] = {}
    for event in connection.execute(of_events.order_by(EVENTS.c.id)):
        told.setdefault(_said(_json(event.payload), event.recorded_at), deque()).append(event.id)
    renamed = []
    for price in connection.execute(of_prices):
        ids = told.get(_said(price._mapping, price.recorded_at))
        if ids:
            renamed.append({"of_price": price.id, "of_event": ids.popleft()})
    update = sa.update(PRICES).where(PRICES.c.ledger_id == ledger_id, PRICES.c.id == sa.bindparam("of_price", type_=ID))
    update = update.values(id=sa.bindparam("of_event", type_=ID))
    for some in _portions(renamed):
        connection.execute(update, some)


def _said(of: Mapping[str, Any], recorded_at: Any) -> tuple[Any, ...]:
    return (of["currency"], of["quote"], of["price"], _instant(of["effective_at"]), _instant(recorded_at))


def _tell_of_lines(connection: sa.Connection, ledger_id: Any) -> None:
    accounts = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.path).where(ACCOUNTS.c.ledger_id == ledger_id)
    paths = {row.id: row.path for row in connection.execute(accounts)}
    query = sa.select(LINES).where(LINES.c.ledger_id == ledger_id).order_by(LINES.c.id)
    place = sa.literal_column(PLACE[connection.dialect.name])
    names = ("ledger_id", "id", "type", "payload", "recorded_at")
    bound = {name: sa.bindparam(name, type_=EVENTS.c[name].type) for name in names}
    insert = sa.insert(EVENTS).values({**bound, "place": place})
    is_text = connection.dialect.name == "sqlite"
    for some in _portions(connection.execute(query).all()):
        payloads = [_payload(row, paths) for row in some]
        rows = [
            {
                "ledger_id": ledger_id,
                "id": row.id,
                "type": IMPORTED,
                "payload": json.dumps(payload, ensure_ascii=False) if is_text else payload,
                "recorded_at": row.imported_at,
            }
            for row, payload in zip(some, payloads, strict=True)
        ]
        connection.execute(insert, rows)


def _payload(row: Any, paths: Mapping[Any, str]) -> Mapping[str, object]:
    return {
        "line": _id(row.id),
        "account": paths[row.account_id],
        "against": paths[row.against_id],
        "booked_on": row.booked_on.isoformat() if isinstance(row.booked_on, date) else row.booked_on,
        "side": row.side,
        "currency": row.currency,
        "amount": str(row.amount),
        "fingerprint": row.fingerprint,
        "details": _json(row.details),
        "transaction": None if row.transaction_id is None else _id(row.transaction_id),
    }


def _portions(of: Iterable[Any]) -> Iterator[list[Any]]:
    rows = list(of)
    for start in range(0, len(rows), PORTION):
        yield rows[start : start + PORTION]


def _id(value: Any) -> str:
    return str(value if isinstance(value, UUID) else UUID(bytes=value))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _instant(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.astimezone(UTC)
