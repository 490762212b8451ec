"""The databases of the sides: how each is made by its own means, and whether its books hold at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import alembic.command

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import operations, queries
from myapp.ledger.model import AccountType, NewAccount, NewLimits
from myapp.ledger.recording import statement
from tests import databases
from tests.benchmarks import cluster as clusters
from tests.benchmarks.cluster import Host
from tests.benchmarks.peers import books
from tests.benchmarks.peers import statement as peers_statement

ROOT = Path(__file__).parents[2]
PEERS = "tests.benchmarks.peers"
PEERS_PYTHON = ROOT / "build" / "peers" / "bin" / "python"
PROGRAMS = Path(sys.executable).parent
INI = "production.ini"
VERIFY = ["verify", "--all", "--json", "--ini", INI]
TEMPLATE = "bench_template"
SECONDS_MAX = 600
# Whoever develops may want none; whoever runs the application has it.
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
# `myapp verify` has come to a result: all holds, or something does not.
VERIFIED = (0, 1)
# No transfer comes near it, but each is judged by it.
FAR_BELOW = Decimal(-1_000_000_000)


class Ledger(Protocol):
    """One way to keep books in a database."""

    def prepare(self, cluster: Host, database: str) -> None:
        """Make the database and its accounts."""

    def recorded(self, url: str) -> int:
        """Return how many transactions there are."""

    def violations(self, url: str) -> Sequence[str]:
        """Return what does not hold."""


@dataclass(frozen=True)
class Ours:
    """The application's schema, by its migrations, with limits on every account that no transfer comes near.

    `unchecked` are the checks of `myapp verify` that say nothing about who keeps books in it with less than all of it.
    """

    unchecked: frozenset[str] = frozenset()

    def prepare(self, cluster: Host, database: str) -> None:
        if not cluster.has(TEMPLATE):
            url = cluster.create(TEMPLATE)
            alembic.command.upgrade(databases.alembic_config(url), "head")
            open_books(url)
        cluster.create(database, TEMPLATE)

    def recorded(self, url: str) -> int:
        return _count(url, "transactions")

    def violations(self, url: str) -> Sequence[str]:
        command = [str(PROGRAMS / "myapp"), *VERIFY]
        done = subprocess.run(
            command, cwd=ROOT, env=ours_environment(url), capture_output=True, check=False, timeout=SECONDS_MAX
        )
        if done.returncode not in VERIFIED:
            return [done.stderr.decode()]
        checks = [check for line in done.stdout.splitlines() for check in json.loads(line)["checks"]]
        return [
            f"{check['name']}: {check['violations'][0]}"
            for check in checks
            if not check["holds"] and check["name"] not in self.unchecked
        ]


@dataclass(frozen=True)
class Orm:
    """The tables of a peer's models, made by running the module that has them."""

    module: str
    python: Path = PEERS_PYTHON

    def prepare(self, cluster: Host, database: str) -> None:
        _run_peer(self.python, self.module, cluster.create(database))

    def recorded(self, url: str) -> int:
        return _count(url, "transactions")

    def violations(self, url: str) -> Sequence[str]:
        return _differences(
            url,
            {
                "debits and credits": "SELECT transaction_id FROM postings GROUP BY 1 HAVING sum(amount) <> 0",
                "balances": "SELECT a.path FROM accounts a LEFT JOIN postings p ON p.account_id = a.id "
                "GROUP BY a.id HAVING a.balance <> coalesce(sum(p.amount), 0)",
            },
        )


@dataclass(frozen=True)
class Hordak:
    """hordak's tables, by its migrations."""

    def prepare(self, cluster: Host, database: str) -> None:
        _run_peer(PEERS_PYTHON, f"{PEERS}.django_project.prepare", cluster.create(database))

    def recorded(self, url: str) -> int:
        return _count(url, "hordak_transaction")

    def violations(self, url: str) -> Sequence[str]:
        legs = "SELECT transaction_id FROM hordak_leg GROUP BY 1"
        return _differences(
            url,
            {"debits and credits": f"{legs} HAVING sum(coalesce(debit, 0)) <> sum(coalesce(credit, 0))"},
        )


@dataclass(frozen=True)
class Pgledger:
    """pgledger's tables and functions, from its files; `bench_accounts` numbers its accounts."""

    files: Sequence[Path]

    def prepare(self, cluster: Host, database: str) -> None:
        url = cluster.create(database)
        for file in self.files:
            clusters.rows(url, file.read_text(encoding="utf-8"))
        clusters.rows(url, "CREATE TABLE bench_accounts (number int PRIMARY KEY, id text NOT NULL)")
        new = "INSERT INTO bench_accounts SELECT %(number)s::int, id FROM pgledger_create_account(%(path)s, 'USD')"
        for number, path in enumerate(books.paths(), 1):
            clusters.rows(url, new, {"number": number, "path": path})

    def recorded(self, url: str) -> int:
        return _count(url, "pgledger_transfers")

    def violations(self, url: str) -> Sequence[str]:
        return _differences(
            url,
            {
                "debits and credits": "SELECT transfer_id FROM pgledger_entries GROUP BY 1 HAVING sum(amount) <> 0",
                "balances": "SELECT a.id FROM pgledger_accounts a LEFT JOIN pgledger_entries e ON e.account_id = a.id "
                "GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)",
            },
        )


def ours_environment(url: str) -> dict[str, str]:
    """Return the environment of the application's own programs."""
    kept = {name: value for name, value in os.environ.items() if name not in {*settings.VARIABLES, NO_BYTECODE}}
    # As an installed package has, but beside the checkout.
    return kept | {settings.URL_VARIABLE: url, "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}


def peers_environment(url: str) -> dict[str, str]:
    """Return the environment of a peer, which has the checkout on its path, and of the application its statement."""
    given = peers_statement.Statement(statement.RECORD, statement.NAMES)
    return {**os.environ, "PYTHONPATH": str(ROOT), books.URL_VARIABLE: url, peers_statement.VARIABLE: given.to_json()}


def open_books(url: str, paths: Sequence[str] | None = None) -> None:
    """Make the ledger in a migrated database, where it has none, and its accounts, or these."""
    engine = engines.build(settings.Database(url=url))
    now = datetime.now(UTC)
    with scope.session_scope(factory.build(engine)) as session:
        known = [each.name for each in queries.list_ledgers(session, after=None, limit=1)]
        if books.LEDGER not in known:
            operations.create_ledger(session, books.LEDGER, metadata={}, now=now)
        ledger = queries.get_ledger(session, books.LEDGER)
        for path in books.paths() if paths is None else paths:
            wanted = NewAccount(path=path, type=AccountType.ASSET, limits={books.CURRENCY: NewLimits(min=FAR_BELOW)})
            operations.open_account(session, ledger, wanted, now=now)
    engine.dispose()


def _run_peer(python: Path, module: str, url: str) -> None:
    command = [str(python), "-m", module]
    subprocess.run(command, cwd=ROOT, env=peers_environment(url), check=True, timeout=SECONDS_MAX)


def _count(url: str, table: str) -> int:
    ((count,),) = clusters.rows(url, f"SELECT count(*) FROM {table}")
    return int(str(count))


def _differences(url: str, queries: Mapping[str, str]) -> list[str]:
    found = {name: clusters.rows(url, query) for name, query in queries.items()}
    return [f"{name}: {len(rows)} differ, the first is {rows[0][0]}" for name, rows in found.items() if rows]
