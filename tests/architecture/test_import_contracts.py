"""The table of rooms in the design: who may import whom."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.house_rules import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

DOWNWARDS = "Rooms import downwards only"
NO_DOMAIN = "The session layer knows no domain"
NO_HTTP = "The ledger knows no HTTP and no settings"
OF_SESSIONS = "The ledger takes errors and scopes of the session layer"
THROUGH_LEDGER = "The API reaches the database only through the ledger"
NO_TABLES = "The command line reaches the tables only through the ledger"

# The contract, who imports, and what it must not import.
FORBIDDEN = [
    (DOWNWARDS, "myapp.errors", "myapp.settings"),
    (DOWNWARDS, "myapp.settings", "myapp.db.errors"),
    (DOWNWARDS, "myapp.ledger.model", "myapp.api.schemas"),
    (DOWNWARDS, "myapp.api.schemas", "myapp.scripts"),
    (DOWNWARDS, "myapp.db.scope", "myapp.migrations.head"),
    (DOWNWARDS, "myapp.db.scope", "myapp.server"),
    (DOWNWARDS, "myapp.processes.worker", "myapp.db.engine"),
    (DOWNWARDS, "myapp.processes.worker", "myapp.server"),
    (DOWNWARDS, "myapp.server.loop", "myapp.ledger.model"),
    (DOWNWARDS, "myapp.server.loop", "myapp.api.schemas"),
    (DOWNWARDS, "myapp.ledger.model", "myapp.server"),
    (NO_DOMAIN, "myapp.db.scope", "myapp.ledger.model"),
    (NO_DOMAIN, "myapp.db.scope", "msgspec"),
    (NO_HTTP, "myapp.ledger.model", "myapp.settings"),
    (NO_HTTP, "myapp.ledger.model", "pyramid"),
    (NO_HTTP, "myapp.ledger.model", "alembic"),
    (NO_HTTP, "myapp.ledger.model", "msgspec"),
    (OF_SESSIONS, "myapp.ledger.model", "myapp.db.engine"),
    (OF_SESSIONS, "myapp.ledger.queries.ledgers", "myapp.db.request_session"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.db.engine"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.ledger.accounts"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.ledger.plan"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.ledger.queries.accounts"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.ledger.recording.steps"),
    (THROUGH_LEDGER, "myapp.api.schemas", "myapp.ledger.tables"),
    (THROUGH_LEDGER, "myapp.api.schemas", "psycopg"),
    (NO_TABLES, "myapp.scripts.keys", "myapp.ledger.accounts"),
    (NO_TABLES, "myapp.scripts.importing.local", "myapp.ledger.tables"),
    (NO_TABLES, "myapp.scripts.importing.local", "psycopg"),
]


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT_IMPORTS), "--no-cache"]
    return subprocess.run(command, cwd=directory, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False)


def found(report: str) -> set[tuple[str, str, str]]:
    """Return what the report complains of: the contract, who imports, and what."""
    complaints = set()
    contract = ""
    lines = report.splitlines()
    for line, below in itertools.pairwise([*lines, ""]):
        if below and set(below) == {"-"}:
            contract = line
        if arrow := re.fullmatch(r"-?\s+(\S+) -> (\S+) \(.*\)", line):
            complaints.add((contract, *arrow.groups()))
    return complaints


class TestImportContracts:
    def test_are_kept(self):
        result = lint_imports(ROOT)

        assert result.returncode == 0, result.stdout + result.stderr

    def test_notice_each_forbidden_import(self, tmp_path: Path):
        shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
        shutil.copytree(ROOT / "myapp", tmp_path / "myapp", ignore=shutil.ignore_patterns("__pycache__"))
        for _contract, importer, imported in FORBIDDEN:
            file = tmp_path / f"{importer.replace('.', '/')}.py"
            file.write_text(file.read_text(encoding="utf-8") + f"\nimport {imported}\n", encoding="utf-8")

        report = lint_imports(tmp_path).stdout

        assert found(report) >= set(FORBIDDEN), report
