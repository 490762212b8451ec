"""What the two ledgers are asked, in turns: how often a second each answers, or how much is read of it."""

from __future__ import annotations

import http.client
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psutil

from tests.benchmarks import payloads
from tests.benchmarks.growth.history import FIRST_DAY, LINES, History, word
from tests.benchmarks.ledgers import PROGRAMS, ROOT, VERIFY, ours_environment
from tests.benchmarks.load import percentiles
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.peers import books
from tests.benchmarks.running import CONNECTIONS, HOST, Server

SEED = 11
COUNT = 2_000
PAGE = 50
HOURS_2 = 7_200
CHUNK = 1 << 20
SAMPLE_SECONDS = 0.05
MIB = 1024 * 1024
MILLISECONDS = 1000
LEDGER = f"/v1/ledgers/{books.LEDGER}"

# From a ledger's history and how many transactions of it are there.
Calls = Callable[[History, int], Sequence[Call]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that is asked over and over; `goal` is what the large ledger is to have of the small one's."""

    name: str
    title: str
    calls: Calls
    goal: float | None = None
    connections: int = CONNECTIONS


def _record(_history: History, _transactions: int) -> Sequence[Call]:
    """Return transfers between the thousand accounts that are used most: as many as the small ledger has."""
    return payloads.transfers()


def _reads(path: Callable[[random.Random, History, int], str]) -> Calls:
    def calls(history: History, transactions: int) -> Sequence[Call]:
        chance = random.Random(SEED)
        return [Call(path=LEDGER + path(chance, history, transactions)) for _ in range(COUNT)]

    return calls


def _day(chance: random.Random, history: History, transactions: int) -> str:
    """Return a day of those in which something happened."""
    days = (history.day(max(transactions, 1) - 1) - FIRST_DAY).days
    return (FIRST_DAY + timedelta(days=chance.randint(0, days))).isoformat()


def _balance(chance: random.Random, history: History, _transactions: int) -> str:
    return f"/accounts/{history.path(chance)}/balance"


def _balance_at(chance: random.Random, history: History, transactions: int) -> str:
    return f"/accounts/{history.path(chance)}/balance?at={_day(chance, history, transactions)}"


def _statement(chance: random.Random, history: History, transactions: int) -> str:
    return f"/accounts/{history.path(chance)}/postings?from={_day(chance, history, transactions)}&limit={PAGE}"


def _search(chance: random.Random, history: History, _transactions: int) -> str:
    return f"/transactions?account={history.path(chance)}&text={word(chance)}&limit={PAGE}"


def _report(_chance: random.Random, _history: History, _transactions: int) -> str:
    return "/reports/trial-balance?depth=1"


QUESTIONS: Sequence[Question] = (
    Question(name="record", title="Record", calls=_record, goal=0.8),
    Question(name="balance", title="Balance", calls=_reads(_balance), goal=0.8),
    Question(name="balance-at", title="Balance at a date", calls=_reads(_balance_at), goal=0.8),
    Question(name="statement", title="Page of a statement", calls=_reads(_statement), goal=0.8),
    Question(name="search", title="Search by account and word", calls=_reads(_search)),
    Question(name="report", title="Trial balance", calls=_reads(_report), connections=1),
)


@dataclass(frozen=True)
class Passage:
    """One reading of a whole ledger; `faults` is what was wrong, and `grown_mib` what the server's memory grew by."""

    outcome: Outcome
    postings: int
    faults: Sequence[str] = ()
    grown_mib: float | None = None


def export(server: Server, transactions: int) -> Passage:
    """Take the whole ledger as NDJSON, as fast as it comes, and keep nothing of it."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=HOURS_2)
    faults = []
    with _watched(server.pid) as peak:
        began = time.perf_counter()
        connection.request("GET", f"{LEDGER}/export?format=ndjson", headers=dict(server.headers))
        answer = connection.getresponse()
        last = b""
        try:
            while chunk := answer.read(CHUNK):
                last = (last + chunk)[-CHUNK:]
        except http.client.IncompleteRead:
            faults.append("The export was cut off.")
        seconds = time.perf_counter() - began
    connection.close()
    if b'"total"' not in last.rstrip().rsplit(b"\n", 1)[-1]:
        faults.append("The export has no total at its end.")
    return Passage(_outcome(seconds, str(answer.status)), transactions * LINES, faults, peak[0] / MIB)


def verify(url: str, transactions: int) -> Passage:
    """Check all that must hold, as `myapp verify` does."""
    began = time.perf_counter()
    command = [PROGRAMS / "myapp", *VERIFY]
    done = subprocess.run(
        command, cwd=ROOT, env=ours_environment(url), capture_output=True, check=False, text=True, timeout=HOURS_2
    )
    faults = [] if done.returncode == 0 else [f"myapp verify: {done.stdout}{done.stderr}"]
    status = "200" if done.returncode == 0 else "failed"
    return Passage(_outcome(time.perf_counter() - began, status), transactions * LINES, faults)


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Tell by how many bytes a process grew at most in the block."""
    process = psutil.Process(pid)
    before = process.memory_info().rss
    peak, is_over = [0], threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()


def _outcome(seconds: float, status: str) -> Outcome:
    latency: Mapping[str, float] = percentiles.summary([seconds * MILLISECONDS])
    return Outcome(
        seconds=seconds, statuses={status: 1}, latency=latency, cpu_seconds=0.0, lag=None, first_refusal=None
    )
