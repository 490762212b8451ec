"""Read the balance of one account of a thousand drawn alike, against a row that a peer loads by its key."""

from __future__ import annotations

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison

BENCH = Comparison(
    name="read",
    title="Read one balance",
    sides=sides.named("myapp", "starter-orm", "fastapi-orm", "flask-orm", "django-hordak"),
    calls=payloads.balances,
    needs_transactions=True,
    goals={"fastapi-orm": 1.0, "flask-orm": 1.0},
)
