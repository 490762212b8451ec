"""One account in every transaction, the other of a thousand drawn alike, against both drawn so. Each has its limits."""

from __future__ import annotations

import dataclasses
import functools

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison
from tests.benchmarks.series import Series

BATCH = 1_000

hot_batches = functools.cache(functools.partial(payloads.batches, BATCH, hot=True))
hot_transfers = functools.cache(functools.partial(payloads.transfers, hot=True))
uniform_batches = functools.cache(functools.partial(payloads.batches, BATCH))

HOT = dataclasses.replace(sides.APPLICATION, name="myapp-hot", title="one account in each", calls=hot_transfers)
UNIFORM = dataclasses.replace(sides.APPLICATION, title="all accounts alike")

SINGLES = Comparison(
    name="hot-singles",
    title="One account in every transaction, one at a time",
    sides=[HOT, UNIFORM],
    calls=payloads.transfers,
    goals={UNIFORM.name: 0.5},
    unit="transaction",
)
BATCHES = Comparison(
    name="hot-batches",
    title=f"One account in every transaction, batches of {BATCH:,}",
    sides=[dataclasses.replace(HOT, calls=hot_batches), UNIFORM],
    calls=uniform_batches,
    goals={UNIFORM.name: 0.9},
    unit="transaction",
)
# What a row's lock costs without an application.
BARE = Comparison(
    name="hot-statement",
    title="One account in every transaction, the statement alone",
    sides=[sides.PGBENCH_HOT, sides.PGBENCH],
    calls=payloads.transfers,
    unit="transaction",
)

BENCH = Series(name="hot", title="One account in every transaction", parts=[SINGLES, BATCHES, BARE])
