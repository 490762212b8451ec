"""SQLite files in a directory, in the place of a server: the CPU is the application's own, and nobody counts."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SqliteFiles:
    """The files, by the names of the databases."""

    directory: Path

    def url(self, database: str) -> str:
        return f"sqlite:///{self._file(database)}"

    def create(self, database: str, template: str | None = None) -> str:
        """Make a database, as a copy of one that nobody is connected to or an empty one, and return its URL."""
        if template is None:
            self._file(database).touch()
        else:
            shutil.copyfile(self._file(template), self._file(database))
        return self.url(database)

    def has(self, database: str) -> bool:
        """Say whether there is such a database."""
        return self._file(database).exists()

    @property
    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def wal_position(self) -> int:
        return 0

    def cpu_seconds(self) -> float:
        return 0.0

    @contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        """Count nothing."""
        yield {}

    def _file(self, database: str) -> Path:
        return self.directory / f"{database}.sqlite"


@contextmanager
def started() -> Iterator[SqliteFiles]:
    """Lend a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="myapp_bench_sqlite_") as name:
        yield SqliteFiles(Path(name))
