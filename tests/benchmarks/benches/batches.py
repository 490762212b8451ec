"""Record batches, against the same statement with the same parameters alone, and against pgbench's single ones."""

from __future__ import annotations

import dataclasses
import functools

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison
from tests.benchmarks.series import Series

# With how many connections: of the largest few keep a server busy, and more would only wait beyond their time.
SIZES = {100: 8, 1_000: 8, 10_000: 2}
# Of this size something is to be reached, against the statement alone and against single ones.
AIMED_AT = 1_000
GOALS = {sides.BARE.name: 0.6, sides.PGBENCH.name: 3.0}

SINGLES = dataclasses.replace(
    sides.PGBENCH, title="pgbench, our statement, one at a time", calls=payloads.transfers, takes_rates=False
)


def batches_of(size: int) -> Comparison:
    """Return the comparison of batches of one size."""
    return Comparison(
        name=f"batches-{size}",
        title=f"Batches of {size:,}",
        sides=[sides.APPLICATION, sides.BARE, SINGLES],
        calls=functools.cache(functools.partial(payloads.batches, size)),
        goals=GOALS if size == AIMED_AT else {},
        connections=SIZES[size],
        unit="transaction",
    )


BENCH = Series(name="batches", title="Record batches", parts=[batches_of(size) for size in SIZES])
