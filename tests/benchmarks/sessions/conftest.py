"""A small world for each test of the experiment: a database of its own, and someone outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.benchmarks.sessions import tables
from tests.benchmarks.sessions.outside import Outside, look_from
from tests.benchmarks.sessions.strategies import Setup


@pytest.fixture
def url(dialect: str, empty_database_url: Callable[[str], str]) -> str:
    url = empty_database_url(dialect)
    tables.create(url)
    return url


@pytest.fixture
def setup(url: str) -> Setup:
    return Setup(url=url, expire_on_commit=False)


@pytest.fixture
def expiring(url: str) -> Setup:
    return Setup(url=url, expire_on_commit=True)


@pytest.fixture
def outside(url: str) -> Iterator[Outside]:
    with look_from(url) as outside:
        yield outside
