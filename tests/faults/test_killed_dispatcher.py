"""A process killed between its commits and what follows from them: nothing committed is lost, nothing undone is sent.

The process writes to an outbox and works it off at the same time; what it sends goes into a file, as it would go to
another system. After its end another dispatcher finishes the work.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.db.dispatcher import Dispatcher
from myapp.db.factory import Sessions
from myapp.db.session import UnitOfWorkSession

LINES = 80
SENT_BEFORE_KILL = 17
WAIT_SECONDS = 30
UNDONE = "undone"

OUTBOX = sa.Table(
    "outbox",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String, nullable=False),
)


class Undone(Exception):
    """Raised to roll a unit of work back."""


def sending_to(file: Path) -> Callable[[UnitOfWorkSession], bool]:
    """Return what sends the oldest lines of the outbox, slowly, so that the kill comes in the middle of a batch."""

    def send_next(session: UnitOfWorkSession) -> bool:
        # No line is skipped, or those would come late that the server still holds for the killed process.
        oldest = sa.select(OUTBOX).order_by(OUTBOX.c.id).limit(5).with_for_update()
        rows = session.execute(oldest).all()
        for row in rows:
            with file.open("a") as sent:
                sent.write(f"{row.text}\n")
            time.sleep(0.002)
            session.execute(sa.delete(OUTBOX).where(OUTBOX.c.id == row.id))
        return bool(rows)

    return send_next


def sessions_on(url: str) -> tuple[Engine, Sessions]:
    engine = engines.build(settings.Database(url=url))
    return engine, factory.build(engine)


def write_and_send(url: str, file: Path) -> None:
    """Be the process that is killed: commit a line, say so, roll one back, and so on."""
    _engine, sessions = sessions_on(url)
    outbox = Dispatcher(sessions, sending_to(file), name="outbox")
    for number in range(LINES):
        with scope.session_scope(sessions) as session:
            session.execute(sa.insert(OUTBOX).values(text=f"{number}"))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        with suppress(Undone), scope.session_scope(sessions) as session:
            session.execute(sa.insert(OUTBOX).values(text=f"{UNDONE} {number}"))
            raise Undone
        if number == LINES // 2:
            # From here on it sends while it writes.
            outbox.start()
    signal.pause()


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def killed_on_the_way(url: str, file: Path) -> list[str]:
    """Let such a process work, kill it, and return what it said was committed."""
    command = [sys.executable, "-m", __name__, url, str(file)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert soon(lambda: len(lines_of(file)) >= SENT_BEFORE_KILL or process.poll() is not None)
            assert process.poll() is None, "the process ended by itself"
        finally:
            process.kill()
        assert process.stdout is not None
        # The last line may be cut off.
        return [line.strip() for line in process.stdout if line.endswith("\n")]


@pytest.mark.slow
@pytest.mark.commits
def test_sends_all_that_was_committed_at_least_once_in_order_and_nothing_else(
    dialect: str, empty_database_url: Callable[[str], str], tmp_path: Path
):
    url, file = empty_database_url(dialect), tmp_path / "sent"
    engine, sessions = sessions_on(url)
    OUTBOX.metadata.create_all(engine)
    committed = killed_on_the_way(url, file)
    assert set(committed) - set(lines_of(file)), "the kill came too late to leave anything behind"

    outbox = Dispatcher(sessions, sending_to(file), name="outbox")
    outbox.start()
    with engine.connect() as connection:
        left = sa.select(sa.func.count()).select_from(OUTBOX)
        assert soon(lambda: connection.scalar(left) == 0 or connection.rollback())
    assert outbox.stop(WAIT_SECONDS)
    engine.dispose()

    sent = lines_of(file)
    assert set(committed) <= set(sent)
    assert not [line for line in sent if line.startswith(UNDONE)]
    # One line may be committed that the process had no time to speak of.
    assert len(set(sent) - set(committed)) <= 1
    first_times = list(dict.fromkeys(sent))
    assert first_times == sorted(first_times, key=int)


if __name__ == "__main__":
    write_and_send(sys.argv[1], Path(sys.argv[2]))
