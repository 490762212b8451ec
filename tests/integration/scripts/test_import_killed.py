"""A load that is killed, wherever it is, is finished by the same command; one more changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp.api.exchange.schemas import Format
from myapp.ledger import model
from myapp.settings import URL_VARIABLE
from tests.integration.exchange import books
from tests.integration.exchange.lives import Kind, Step
from tests.integration.scripts.conftest import Run
from tests.integration.scripts.test_import_over_http import serving

pytestmark = [pytest.mark.slow, pytest.mark.long]

# Small batches; and once the destination has done this the so-manieth time, the process is no more.
KILLED_AFTER = """
import os, signal
from myapp.scripts.importing import replaying
from myapp.scripts.importing.{module} import {name} as Destination

replaying.BATCH_SIZE = 3
replaying.model.PRICES_MAX = 2
count = 0
do = Destination.{method}

def do_and_die(*arguments, **named):
    global count
    done = do(*arguments, **named)
    count += 1
    if count == {times}:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Destination.{method} = do_and_die
"""
# Each a place in a load: between its batches, its prices, its limits, its closings; and right at its end.
PLACES = [("open_account", 1), ("replay", 1), ("replay", 3), ("record_prices", 1), ("change_account", 1),
          ("change_account", 2), ("lock_before", 1)]  # fmt: skip

KINDS = [Kind.BRIEF_HOLD, Kind.SALE, Kind.POST, Kind.HOLD, Kind.VOID, Kind.SWEEP, Kind.REVERSE, Kind.BRIEF_HOLD]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[str]:
    """Return the address of a service that is open to this machine."""
    with serving(tmp_path_factory.mktemp("service"), database_url, auth="open") as url:
        yield url


@pytest.fixture
def exported(sessions: sessionmaker[Session], tmp_path: Path) -> Path:
    """Return a file with a ledger that has something of everything."""
    steps = [Step(kind, which=0, amount=7, minutes=6) for kind in KINDS]
    steps += [Step(Kind.SALE, which=1, amount=amount, minutes=1) for amount in (1, 1, 1, 2)]
    steps += [Step(Kind.PRICE, which=0, amount=amount, minutes=3) for amount in (1, 2, 1)]
    steps += [Step(Kind.LOCK, which=1, amount=1, minutes=1)]
    wanted = books.Wanted(
        accounts=books.two_accounts(),
        transactions=[],
        steps=steps,
        bounds={"assets:cash": model.NewLimits(min=Decimal(-100), max=None)},
        closed={"income:sales"},
    )
    path = tmp_path / "whole.ndjson"
    path.write_bytes(books.exported(sessions, books.make(sessions, wanted), Format.NDJSON))
    return path


def killed(process: Run, file: Path, *arguments: str, database_url: str, before: str) -> None:
    result = process("import", file, *arguments, environ={URL_VARIABLE: database_url}, before=before)
    assert result.code == -signal.SIGKILL, result.err


@pytest.mark.parametrize(("method", "times"), PLACES)
class TestKilledLoad:
    def test_into_the_database_leaves_nothing_and_the_next_does_all(
        self, sessions, myapp, process, exported, database_url, name, method, times
    ):
        before = KILLED_AFTER.format(module="local", name="Local", method=method, times=times)
        killed(process, exported, "--ledger", name, database_url=database_url, before=before)
        assert not books.exists(sessions, name)

        self.is_finished_by_the_next(sessions, myapp, exported, name)

    def test_over_http_goes_on_from_there(
        self, sessions, myapp, process, service, exported, database_url, name, method, times
    ):
        before = KILLED_AFTER.format(module="remote", name="Remote", method=method, times=times)
        killed(process, exported, "--ledger", name, "--url", service, database_url=database_url, before=before)
        assert books.exists(sessions, name)

        self.is_finished_by_the_next(sessions, myapp, exported, name, "--url", service)

    @staticmethod
    def is_finished_by_the_next(sessions, myapp, exported, name, *where) -> None:
        assert myapp("import", exported, "--ledger", name, *where).code == 0
        whole = books.exported(sessions, name, Format.NDJSON)
        assert books.content(whole) == books.content(exported.read_bytes())
        assert books.violations(sessions, name) == []

        again = myapp("import", exported, "--ledger", name, *where)

        assert "transactions  0 recorded" in again.out
        assert "prices        0 recorded" in again.out
        assert books.exported(sessions, name, Format.NDJSON) == whole
