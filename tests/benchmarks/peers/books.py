"""The accounts that every side has, and what it is told by the environment. Standard library only."""

from __future__ import annotations

import os

LEDGER = "bench"
CURRENCY = "USD"
ACCOUNTS = 1000
# Of one process: connections, and threads where there are threads.
POOL_SIZE = 8

PARENT, LEAF, DIGITS = "assets", "wallet", 6

URL_VARIABLE = "BENCH_DATABASE_URL"
ACCOUNTS_VARIABLE = "BENCH_ACCOUNTS"


def path(number: int) -> str:
    """Return the path of an account; numbers begin with one."""
    return f"{PARENT}:{LEAF}{number:0{DIGITS}}"


def paths() -> list[str]:
    """Return the paths of all accounts."""
    return [path(number) for number in range(1, account_count() + 1)]


def account_count() -> int:
    return int(os.environ.get(ACCOUNTS_VARIABLE, ACCOUNTS))


def url(driver: str) -> str:
    """Return the database's URL for SQLAlchemy and one of its drivers."""
    return os.environ[URL_VARIABLE].replace("postgresql://", f"postgresql+{driver}://", 1)
