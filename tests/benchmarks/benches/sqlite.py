"""The embedded default, SQLite with every commit on the disk: writers in line, readers, and batches.

Against the same rows by sqlite3 alone, and readers beside a writer against readers alone.
"""

from __future__ import annotations

import dataclasses
import functools

from tests.benchmarks import embedded, payloads, sqlite_files
from tests.benchmarks.compare import Comparison
from tests.benchmarks.series import Series

BATCH = 1_000
WRITERS = (1, 8)


def records(writers: int) -> Comparison:
    """Return the comparison with so many writers, who wait for each other."""
    return Comparison(
        name=f"sqlite-record-{writers}",
        title=f"Record on SQLite, writers: {writers}",
        sides=[embedded.APPLICATION, embedded.RAW],
        calls=payloads.transfers,
        connections=writers,
        unit="transaction",
        host=sqlite_files.started,
    )


BATCHES = dataclasses.replace(
    records(1),
    name="sqlite-batches",
    title=f"Batches of {BATCH:,} on SQLite",
    calls=functools.partial(payloads.batches, BATCH),
)
READS = Comparison(
    name="sqlite-read",
    title="Read one balance on SQLite, beside a writer and without",
    sides=[embedded.BESIDE_A_WRITER, embedded.APPLICATION],
    calls=payloads.balances,
    needs_transactions=True,
    host=sqlite_files.started,
)

BENCH = Series(name="sqlite", title="On SQLite", parts=[*(records(writers) for writers in WRITERS), BATCHES, READS])
