"""Percentiles by nearest rank: each is a latency that a request really had."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SHARES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least value that at least this share of the values, given in ascending order, does not exceed."""
    # Without the rounding 0.95 of 100 would be the 96th, since it is no binary fraction.
    return ordered[max(math.ceil(round(share * len(ordered), 9)), 1) - 1]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the percentiles that are reported; none of no values."""
    ordered = sorted(values)
    return {name: percentile(ordered, share) for name, share in SHARES.items()} if ordered else {}
