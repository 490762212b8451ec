"""A real primary and a real standby that streams from it, whose replay a test can hold back.

with pair.replay_paused():
    ...     # what is committed on the primary now is not to be seen on the standby
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.own_postgresql import WAIT_SECONDS, OwnPostgresql, wait_until

# The standby asks for the primary again at once, and not after the five seconds of the default.
STANDBY_SETTINGS = "\nwal_retrieve_retry_interval = 100ms\n"


class PostgresqlPair:
    """Both servers; `restore` makes them a pair again, whatever a test did, a promotion included."""

    def __init__(self, run_directory: Path, name: str) -> None:
        self.primary = OwnPostgresql(run_directory, f"{name}_primary")
        self.standby = OwnPostgresql(run_directory, f"{name}_standby")
        self._is_promoted = False

    @property
    def primary_url(self) -> str:
        return self.primary.url

    @property
    def standby_url(self) -> str:
        return self.standby.url

    def start(self) -> None:
        self.primary.create()
        self.primary.start()
        self._start_standby()

    def stop(self) -> None:
        """Stop both, at once: their data ends with the run."""
        self.standby.stop(immediate=True)
        self.primary.stop(immediate=True)

    def pause_replay(self) -> None:
        """Let the standby receive what the primary writes, and show none of it."""
        self.standby.value("SELECT pg_wal_replay_pause()")
        query = "SELECT pg_get_wal_replay_pause_state()"
        wait_until(lambda: self.standby.value(query) == "paused", "replay is paused")

    def resume_replay(self) -> None:
        self.standby.value("SELECT pg_wal_replay_resume()")

    @contextmanager
    def replay_paused(self) -> Iterator[None]:
        """Hold the standby back for the length of a block, then let it catch up."""
        self.pause_replay()
        yield
        self.resume_replay()
        self.wait_until_replayed()

    def wait_until_replayed(self) -> None:
        """Wait until the standby has replayed the primary's log beyond all that was in it before the call."""
        # With a commit behind all that, since a position may lie behind a page's header that nothing follows yet.
        self.primary.value("SELECT pg_logical_emit_message(true, 'pair', 'so far')")
        position = self.primary.value("SELECT pg_current_wal_flush_lsn()")
        query = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        wait_until(lambda: self.standby.value(query) is True, f"the standby has replayed {position}")

    def stop_primary(self, *, immediate: bool = False) -> None:
        self.primary.stop(immediate=immediate)

    def start_primary(self) -> None:
        self.primary.start()

    def promote(self) -> None:
        """Make the standby a primary; the other one should be stopped before."""
        self._is_promoted = True
        assert self.standby.value(f"SELECT pg_promote(wait_seconds => {WAIT_SECONDS})")

    def restore(self) -> None:
        """Let both run, with the standby caught up; after a promotion it is made anew from the primary."""
        self.primary.restore()
        if self._is_promoted:
            self.standby.stop(immediate=True)
            shutil.rmtree(self.standby.data)
            self._start_standby()
            self._is_promoted = False
        self.standby.restore()
        self.resume_replay()
        self.wait_until_replayed()

    def _start_standby(self) -> None:
        self.standby.copy(self.primary)
        with (self.standby.data / "postgresql.auto.conf").open("a") as configuration:
            configuration.write(STANDBY_SETTINGS)
        self.standby.start()
