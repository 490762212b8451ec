"""`python -m tests.benchmarks.load.rows`: leave in SQLite the rows that the application leaves, by sqlite3 alone.

The order comes on standard input, the outcome goes to the output, both as JSON. Each connection has a thread, and a
request is one transaction of the database: the accounts are looked up, and a row is written wherever the application
writes one, but for its idempotency key.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tests.benchmarks.load import percentiles
from tests.benchmarks.load.order import Outcome

MILLISECONDS = 1000
CONNECT_SECONDS = 60
BUSY_SECONDS = 60
CENTS_MAX = 100_00
TERM_MAX = 2**62
DURABLE = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")

ACCOUNT = "SELECT id FROM accounts WHERE ledger_id = ? AND path = ?"
TRANSACTION = (
    "INSERT INTO transactions (ledger_id, id, status, effective_at, recorded_at, description, metadata) "
    "VALUES (?1, ?2, 'posted', ?3, ?3, 'Transfer', '{}')"
)
BALANCE = (
    "INSERT INTO balances (ledger_id, account_id, currency, debits_posted, credits_posted, debits_pending, "
    "credits_pending, version) VALUES (?, ?, ?, ?, ?, 0, 0, 1) "
    "ON CONFLICT (ledger_id, account_id, currency) DO UPDATE SET "
    "debits_posted = debits_posted + excluded.debits_posted, "
    "credits_posted = credits_posted + excluded.credits_posted, version = version + 1 "
    "RETURNING debits_posted, credits_posted, version"
)
POSTING = (
    "INSERT INTO postings (ledger_id, transaction_id, line, account_id, currency, side, amount, debits_posted, "
    "credits_posted, debits_pending, credits_pending, balance_version, effective_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)"
)
TOTAL = (
    "INSERT INTO period_totals (ledger_id, account_id, currency, grain, effective_from, recorded_from, debits_posted, "
    "credits_posted, lines) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, 1) "
    "ON CONFLICT (ledger_id, account_id, grain, effective_from, recorded_from, currency) DO UPDATE SET "
    "debits_posted = debits_posted + excluded.debits_posted, "
    "credits_posted = credits_posted + excluded.credits_posted, lines = lines + 1"
)
EVENT = (
    "INSERT INTO events (ledger_id, id, place, type, payload, recorded_at) "
    "VALUES (?, ?, (SELECT coalesce(max(rowid), 0) + 1 FROM events), 'transaction.posted', '{}', ?)"
)
TERM = "INSERT INTO transaction_terms (ledger_id, term, transaction_id) VALUES (?, ?, ?)"
TERMS_EACH = 2


@dataclass(frozen=True, kw_only=True)
class RowsOrder:
    """A closed loop; each request records so many `transactions`."""

    file: str
    ledger: str
    currency: str
    paths: Sequence[str]
    transactions: int
    connections: int
    seconds: float
    requests_max: int | None = None

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


class Line(NamedTuple):
    """One line of a transfer."""

    path: str
    debit: int
    credit: int


class Loop:
    """The loop of all connections under way; the latencies are in milliseconds."""

    def __init__(self, order: RowsOrder) -> None:
        self._order = order
        self._began = threading.Barrier(order.connections)
        self._left = threading.Semaphore(order.requests_max) if order.requests_max is not None else None

    def carry_out(self) -> list[float]:
        """Send until the time is over, and return how long each request took."""
        with ThreadPoolExecutor(self._order.connections) as pool:
            threads = [pool.submit(self._work) for _ in range(self._order.connections)]
            return [latency for thread in threads for latency in thread.result()]

    def _work(self) -> list[float]:
        connection = sqlite3.connect(self._order.file, timeout=BUSY_SECONDS, isolation_level=None)
        for pragma in DURABLE:
            connection.execute(f"PRAGMA {pragma}")
        (ledger_id,) = connection.execute("SELECT id FROM ledgers WHERE name = ?", [self._order.ledger]).fetchone()
        chance, latencies = random.Random(), []
        self._began.wait(CONNECT_SECONDS)
        until = time.perf_counter() + self._order.seconds
        while (now := time.perf_counter()) < until and (self._left is None or self._left.acquire(blocking=False)):
            self._record(connection, ledger_id, chance)
            latencies.append((time.perf_counter() - now) * MILLISECONDS)
        connection.close()
        return latencies

    def _record(self, connection: sqlite3.Connection, ledger_id: bytes, chance: random.Random) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(self._order.transactions):
            debited, credited = chance.sample(self._order.paths, 2)
            amount = chance.randint(1, CENTS_MAX)
            lines = [Line(debited, amount, 0), Line(credited, 0, amount)]
            _transfer(connection, ledger_id, self._order.currency, lines)
        connection.execute("COMMIT")


def _transfer(connection: sqlite3.Connection, ledger_id: bytes, currency: str, lines: Sequence[Line]) -> None:
    now = datetime.now(UTC)
    moment = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    new_id = (time.time_ns() // 1_000_000).to_bytes(6) + b"\x70\x00\x80" + os.urandom(7)
    ids = [connection.execute(ACCOUNT, [ledger_id, line.path]).fetchone()[0] for line in lines]
    connection.execute(TRANSACTION, [ledger_id, new_id, moment])
    for number, (account, line) in enumerate(zip(ids, lines, strict=True)):
        moved = connection.execute(BALANCE, [ledger_id, account, currency, line.debit, line.credit]).fetchall()
        ((debits, credits_, version),) = moved
        side, amount = ("debit", line.debit) if line.debit else ("credit", line.credit)
        values = [ledger_id, new_id, number, account, currency, side, amount, debits, credits_, version, moment]
        connection.execute(POSTING, values)
        for grain, day in (("day", now.date()), ("month", now.date().replace(day=1))):
            total = [ledger_id, account, currency, grain, day.isoformat(), line.debit, line.credit]
            connection.execute(TOTAL, total)
    connection.execute(EVENT, [ledger_id, new_id, moment])
    connection.executemany(TERM, [(ledger_id, random.randrange(TERM_MAX), new_id) for _ in range(TERMS_EACH)])


def main() -> None:
    values = json.loads(sys.stdin.read())
    spent, began = time.process_time(), time.perf_counter()
    latencies = Loop(RowsOrder(**values)).carry_out()
    outcome = Outcome(
        seconds=time.perf_counter() - began,
        statuses={"200": len(latencies)},
        latency=percentiles.summary(latencies),
        cpu_seconds=time.process_time() - spent,
        lag=None,
        first_refusal=None,
    )
    sys.stdout.write(outcome.to_json())


if __name__ == "__main__":
    main()
