"""Build a ledger through the running service, batch after batch, from wherever it is.

What is built is remembered in a file beside the database. A batch that the file does not know yet has an idempotency
key of its own, so sending it again records it once.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import alembic.command

from tests import databases
from tests.benchmarks import ledgers
from tests.benchmarks.cluster import Cluster, rows
from tests.benchmarks.growth.history import BATCH, LINES, History
from tests.benchmarks.peers import books
from tests.benchmarks.running import ANSWER_SECONDS, HOST, Server

CREATED = 201
# One makes its batch while the other waits for the server.
CLIENTS = 2
NOTED_EVERY = 100
ACCOUNTS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Note:
    """How fast it was built up to there, in postings a second, and how large the database was."""

    postings: int
    per_second: float
    database_bytes: int


@dataclass
class State:
    """How far a ledger is, as it is kept in a file."""

    file: Path
    batches: int = 0
    notes: list[Note] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> State:
        values = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        notes = [Note(**each) for each in values.get("notes", [])]
        return cls(file, values.get("batches", 0), notes)

    @property
    def postings(self) -> int:
        return self.batches * BATCH * LINES

    def write(self) -> None:
        """Keep it; whoever ends the process meanwhile leaves the old file or the new one."""
        new = self.file.with_suffix(".new")
        values = {"batches": self.batches, "notes": [asdict(note) for note in self.notes]}
        new.write_text(json.dumps(values), encoding="utf-8")
        new.replace(self.file)


def prepare(cluster: Cluster, database: str, history: History, step: Callable[[str], None]) -> str:
    """Make the database and open its accounts, as far as that is not done, and return its URL."""
    url = cluster.url(database) if cluster.has(database) else cluster.create(database)
    alembic.command.upgrade(databases.alembic_config(url), "head")
    ((there,),) = rows(url, "SELECT count(*) FROM accounts")
    paths = [books.path(number) for number in range(int(str(there)) + 1, history.accounts + 1)]
    for first in range(0, len(paths), ACCOUNTS_AT_ONCE):
        step(f"{first:,} of {len(paths):,} accounts")
        ledgers.open_books(url, paths[first : first + ACCOUNTS_AT_ONCE])
    return url


class Builder:
    """Who sends the batches of a history to a server."""

    def __init__(self, server: Server, history: History, state: State, size: Callable[[], int]) -> None:
        self._server = server
        self._history = history
        self._state = state
        self._size = size
        self._mine = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def grow(self, batches: int, step: Callable[[str], None]) -> None:
        """Record batches until there are so many, and tell of each."""
        self._mine = threading.local()
        pool = ThreadPoolExecutor(CLIENTS)
        began, since = time.monotonic(), self._state.postings
        try:
            for _ in pool.map(self._post, range(self._state.batches, batches)):
                self._state.batches += 1
                if self._state.batches % NOTED_EVERY == 0 or self._state.batches == batches:
                    now = time.monotonic()
                    speed = (self._state.postings - since) / (now - began)
                    self._state.notes.append(Note(self._state.postings, speed, self._size()))
                    began, since = now, self._state.postings
                self._state.write()
                step(f"{self._state.postings:,} postings")
        finally:
            pool.shutdown(cancel_futures=True)
            while self._opened:
                self._opened.pop().close()

    def _post(self, number: int) -> None:
        body = self._history.batch(number)
        headers = {
            **self._server.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": f"growth-{self._history.accounts}-{number}",
        }
        connection = self._connection()
        connection.request("POST", f"/v1/ledgers/{books.LEDGER}/transactions/batch", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != CREATED:
            raise RuntimeError(f"Batch {number} was refused: {answer.status} {told.decode()}")

    def _connection(self) -> http.client.HTTPConnection:
        """Return the connection of this thread."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = http.client.HTTPConnection(HOST, self._server.port, timeout=ANSWER_SECONDS)
            self._opened.append(self._mine.connection)
        connection: http.client.HTTPConnection = self._mine.connection
        return connection


def sizes(postings: int, marks: Sequence[int]) -> Sequence[int]:
    """Return the batches after which a ledger that grows to so many postings is measured."""
    wanted = [mark for mark in marks if mark < postings] + [postings]
    return [-(-each // (BATCH * LINES)) for each in wanted]
