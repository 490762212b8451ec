"""A long history laid down by a few statements: so many postings on each of so many days, half of them of one account.

Recorded on the day they count, in one transaction each day. Amounts are 1, debits on even lines; nothing is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import ids, tables
from myapp.ledger.model import Ledger
from myapp.ledger.queries.deltas import COUNTERS

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = 20
RECORDED = timedelta(hours=12)

ZEROS = ", ".join("0" for _ in COUNTERS)
SERIES = {
    "postgresql": "SELECT generate_series(0, {last}) AS n",
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s",
}
# Evenly over the day.
EFFECTIVE = {
    "postgresql": "t.effective_at + lines.n * interval '86400 seconds' / {lines}",
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f', t.effective_at, (lines.n * 86400.0 / {lines}) || ' seconds') || '000Z'",
}
POSTINGS = """
    INSERT INTO postings (
      ledger_id, transaction_id, line, account_id, currency, side, amount,
      debits_posted, credits_posted, debits_pending, credits_pending, balance_version, effective_at
    )
    SELECT t.ledger_id, t.id, lines.n, a.id, 'USD', CASE lines.n % 2 WHEN 0 THEN 'debit' ELSE 'credit' END, 1,
      {zeros}, lines.n + 1000000 * row_number() OVER (PARTITION BY lines.n ORDER BY t.id), {effective}
    FROM transactions t
    CROSS JOIN ({series}) lines
    JOIN accounts a ON a.ledger_id = t.ledger_id
      AND a.path = CASE lines.n % 4 WHEN 2 THEN 'busy' WHEN 3 THEN 'busy' ELSE 'other-' || (lines.n / 4 % {others}) END
    WHERE t.ledger_id = :ledger_id
"""
FIRST_OF = {
    "postgresql": {
        "day": "(p.effective_at AT TIME ZONE 'UTC')::date",
        "month": "date_trunc('month', p.effective_at AT TIME ZONE 'UTC')::date",
    },
    "sqlite": {"day": "substr(p.effective_at, 1, 10)", "month": "substr(p.effective_at, 1, 8) || '01'"},
}
TOTALS = """
    INSERT INTO period_totals (
      ledger_id, account_id, currency, grain, effective_from, recorded_from, debits_posted, credits_posted, lines
    )
    SELECT p.ledger_id, p.account_id, p.currency, '{grain}', {first}, {first},
      sum(CASE WHEN p.side = 'debit' THEN 1 ELSE 0 END), sum(CASE WHEN p.side = 'debit' THEN 0 ELSE 1 END), count(*)
    FROM postings p
    WHERE p.ledger_id = :ledger_id
    GROUP BY p.ledger_id, p.account_id, p.currency, {first}
"""


def lay(session: Session, ledger: Ledger, *, days: int, lines: int) -> Sequence[UUID]:
    """Lay `lines` postings on each of `days`, and return the ids of the accounts, that of the busy one first."""
    dialect = session.get_bind().dialect.name
    paths = ["busy", *(f"other-{number}" for number in range(OTHERS))]
    account_ids = ids.new_ids(FIRST_DAY, len(paths))
    common = {"ledger_id": ledger.id, "metadata": {}}
    account = common | {"type": "asset", "version": 1, "created_at": FIRST_DAY}
    accounts = [account | {"id": id_, "path": path} for id_, path in zip(account_ids, paths, strict=True)]
    balance = {"ledger_id": ledger.id, "currency": "USD", "version": 1, **dict.fromkeys(COUNTERS, 0)}
    session.execute(sa.insert(tables.accounts), accounts)
    session.execute(sa.insert(tables.balances), [balance | {"account_id": id_} for id_ in account_ids])
    moments = [FIRST_DAY + timedelta(days=day) for day in range(days)]
    transactions = [
        common | {"id": ids.new_id(day + RECORDED), "effective_at": day, "recorded_at": day + RECORDED}
        for day in moments
    ]
    session.execute(sa.insert(tables.transactions), [row | {"status": "posted"} for row in transactions])
    series, effective = SERIES[dialect].format(last=lines - 1), EFFECTIVE[dialect].format(lines=lines)
    for statement in (
        POSTINGS.format(zeros=ZEROS, series=series, effective=effective, others=OTHERS),
        *(TOTALS.format(grain=grain, first=first) for grain, first in FIRST_OF[dialect].items()),
    ):
        bound = sa.text(statement.replace(":%M", r"\:%M").replace(":%f", r"\:%f").replace("::date", r"\:\:date"))
        session.execute(bound.bindparams(sa.bindparam("ledger_id", ledger.id, tables.ledgers.c.id.type)))
    return account_ids
