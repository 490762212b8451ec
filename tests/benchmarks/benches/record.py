"""Record one transaction of two lines, between two of a thousand accounts drawn alike."""

from __future__ import annotations

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison

BENCH = Comparison(
    name="record",
    title="Record one transaction",
    sides=sides.ALL,
    calls=payloads.transfers,
    goals={"fastapi-orm": 2.5, "flask-orm": 2.5, "fastapi-statement": 1.0, "flask-statement": 1.0},
)
