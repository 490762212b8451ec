"""When the requests of an open loop are due, whatever becomes of those before them.

Seconds, from the beginning of the run.
"""

from __future__ import annotations


def count(rate: float, seconds: float) -> int:
    """Return how many requests fall due in a run."""
    return max(round(rate * seconds), 1)


def due(number: int, rate: float) -> float:
    """Return when the request of this number, from zero, is due."""
    return number / rate


def due_until(elapsed: float, rate: float, total: int) -> int:
    """Return how many requests are due once this time has passed."""
    return min(int(elapsed * rate + 1e-9) + 1, total) if elapsed >= 0 else 0
