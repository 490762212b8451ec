"""Run the experiment on SQLite and PostgreSQL; print the tables, and write the findings and the picture.

    python -m tests.benchmarks.sessions --out build/bench-sessions.json --plot docs/images/bench-sessions.svg

PostgreSQL is started for the run, or is the server that MYAPP_TEST_DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SAWarning

from tests import databases, postgresql_server
from tests.benchmarks.sessions import experiment, plot, table
from tests.benchmarks.sessions.findings import Findings

SERVER_VARIABLE = "MYAPP_TEST_DATABASE_URL"


def main() -> None:
    arguments = _arguments()
    start = time.monotonic()
    # SQLAlchemy's complaints about a session that threads share; what comes of it is in the findings.
    warnings.simplefilter("ignore", SAWarning)

    def say(step: str) -> None:
        sys.stderr.write(f"{time.monotonic() - start:6.1f} s  {step}\n")

    with _databases() as each_kind:
        found = [each for kind in each_kind for each in experiment.run(kind.empty, experiment.Size(), say)]
    _write(found, arguments.out)
    plot.draw(found, arguments.plot)
    sys.stdout.write(table.render(found))
    say("done")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Creating against reusing a session, with figures.")
    parser.add_argument("--out", type=Path, required=True, help="where the findings go, as JSON")
    parser.add_argument("--plot", type=Path, required=True, help="where the picture goes, as SVG")
    return parser.parse_args()


@contextmanager
def _databases() -> Iterator[list[databases.Databases]]:
    with tempfile.TemporaryDirectory(prefix="bench_sessions_") as name:
        directory = Path(name)
        given = os.environ.get(SERVER_VARIABLE)
        server = given or postgresql_server.url(directory)
        try:
            yield [
                databases.SqliteDatabases(directory / "sqlite"),
                databases.PostgresqlDatabases(server, directory.name),
            ]
        finally:
            if given:
                databases.drop_all(given, directory.name)
            else:
                postgresql_server.stop(directory)


def _write(found: list[Findings], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(each) for each in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
