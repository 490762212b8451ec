"""Statements without an application: what PostgreSQL's own pgbench sends, which bounds what any application can do."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from myapp.ledger.recording import statement as ours
from tests.benchmarks.load import percentiles
from tests.benchmarks.load.order import Outcome
from tests.benchmarks.peers import books, statement
from tests.benchmarks.running import SECONDS_MAX, Load

MICROSECONDS = 1000
FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)

UNIFORM = r"""
\set debited random(1, {accounts})
\set credited random(1, {accounts} - 1)
\set credited case when :credited >= :debited then :credited + 1 else :credited end
\set amount random(1, 10000)
"""
# The first account in each, on either side.
HOT = r"""
\set other random(2, {accounts})
\set is_debited random(0, 1)
\set debited case when :is_debited = 1 then 1 else :other end
\set credited case when :is_debited = 1 then :other else 1 end
\set amount random(1, 10000)
"""
# An id that no other run or client makes, and that for each client sorts by time, as the application's ids do.
NEW_ID = r"""
\set count :count + 1
\set high (((:run << 8) + :client_id) << 32) + :count
\set low random(0, 4611686018427387903)
"""
ID = "(lpad(to_hex(:high::int8), 16, '0') || lpad(to_hex(:low::int8), 16, '0'))::uuid"
TODAY = "(now() AT TIME ZONE 'UTC')::date"
MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"


def bare_statement(ledger_id: object, choice: str = UNIFORM) -> str:
    """Return the script that runs the application's one statement and nothing else."""
    values = {
        **dict.fromkeys(("key", "request_hash", "packed_ids", "expired_before"), "NULL"),
        **dict.fromkeys(("now", "effective_min"), "now()"),
        **dict.fromkeys(("new_currencies", "new_exponents", "terms", "term_places"), "'{}'"),
        "ledger_id": f"'{ledger_id}'",
        "is_late": "false",
        "slot_count": "2",
        "transaction_count": "1",
        "ids": f"ARRAY[{ID}]",
        "references": "ARRAY[NULL]",
        "effective": "ARRAY[now()]",
        "descriptions": "ARRAY['Transfer']",
        "metadata": "ARRAY['{}']",
        **_of_lines(),
    }
    by_place = {place: values[name] for name, place in ours.NAMES.items()}
    text = statement.PARAMETER.sub(lambda found: by_place[found[1]], ours.RECORD)
    return f"{choice}{NEW_ID}{text};\n"


def _of_lines() -> Mapping[str, str]:
    """Return the arrays with an element for each of the two lines."""
    # What follows a colon is a variable to pgbench, in a string as well.
    parent = f"'{books.PARENT}' || chr(58) || '{books.LEAF}'"
    debited, credited = (f"{parent} || lpad(:{side}::text, {books.DIGITS}, '0')" for side in ("debited", "credited"))
    pairs = {
        ("paths",): (debited, credited),
        ("slot_currencies", "currencies"): (f"'{books.CURRENCY}'", f"'{books.CURRENCY}'"),
        ("debits",): (":amount::int8", "0"),
        ("credits",): ("0", ":amount::int8"),
        ("period_debits",): (":amount::int8", ":amount::int8", "0", "0"),
        ("period_credits",): ("0", "0", ":amount::int8", ":amount::int8"),
        ("period_slots",): ("1", "1", "2", "2"),
        ("period_lines",): ("1", "1", "1", "1"),
        ("grains",): ("'day'", "'month'") * 2,
        ("effective_from", "recorded_from"): (TODAY, MONTH) * 2,
        ("amounts",): (":amount::int8", "-(:amount::int8)"),
        ("counts", "places"): ("1", "1"),
        ("slots", "line_numbers"): ("1", "2"),
        ("debits_left", "credits_left", "counts_left"): ("0", "0"),
    }
    return {name: f"ARRAY[{', '.join(pair)}]" for names, pair in pairs.items() for name in names}


PGLEDGER = f"""{UNIFORM}
SELECT id FROM pgledger_create_transfer(
    (SELECT id FROM bench_accounts WHERE number = :credited),
    (SELECT id FROM bench_accounts WHERE number = :debited),
    :amount::numeric / 100
);
"""


@dataclass
class Script:
    """One script and the database it runs on; pgbench's own CPU is told as the generator's."""

    program: Path
    url: str
    script: str
    # At most.
    clients: int = books.POOL_SIZE
    _runs: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    def give(self, load: Load) -> Outcome:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            (directory / "script.sql").write_text(
                self.script.replace("{accounts}", str(books.account_count())), encoding="utf-8"
            )
            began = os.times()
            done = subprocess.run(
                self._command(load), cwd=directory, check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX
            )
            ended = os.times()
            spent = ended.children_user + ended.children_system - began.children_user - began.children_system
            return _outcome(directory, done.stdout, spent)

    def cpu_seconds(self) -> float:
        """Return none: there is no application."""
        return 0.0

    def stop(self) -> None:
        """Do nothing: no process outlives its run."""

    def _command(self, load: Load) -> list[str]:
        # Its connections are new in each run, and each plans its statements anew: not more of them than are used.
        clients = min(load.connections, self.clients)
        run = next(iter(self._runs))
        length = ["-T", str(max(round(load.seconds), 1))]
        if load.requests_max is not None:
            length = ["-t", str(load.requests_max // clients)]
        rate = [] if load.rate is None else ["-R", str(load.rate)]
        ours = ["-n", "-M", "prepared", "-f", "script.sql", "-l", "-D", f"run={run}", "-D", "count=0"]
        return [str(self.program), *ours, "-c", str(clients), *length, *rate, self.url]


def _outcome(directory: Path, told: str, cpu_seconds: float) -> Outcome:
    """Return what pgbench's log of each transaction says: client, number, microseconds, script, seconds, and rest."""
    lines = [line.split() for path in directory.glob("pgbench_log.*") for line in path.read_text().splitlines()]
    ends = [int(line[4]) + int(line[5]) / 1e6 for line in lines]
    latencies = [int(line[2]) / MICROSECONDS for line in lines]
    begins = [end - latency / MICROSECONDS for end, latency in zip(ends, latencies, strict=True)]
    failed = FAILED.search(told)
    return Outcome(
        seconds=max(ends) - min(begins),
        statuses={"200": len(lines), **({"failed": int(failed[1])} if failed and int(failed[1]) else {})},
        latency=percentiles.summary(latencies),
        cpu_seconds=cpu_seconds,
        lag=None,
        first_refusal=None,
    )
