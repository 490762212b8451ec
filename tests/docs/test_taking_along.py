"""The session layer works in another application, as the documents say: a copy of it, and nothing else of this one."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import house_rules
from tests.architecture.house_rules import ROOT

PAGE = ROOT / "docs" / "sessions.md"
TAKEN = ("settings.py", "errors.py")

APPLICATION = """
import sqlalchemy as sa
import webtest
from pyramid.config import Configurator
from pyramid.response import Response

import myapp.db

def view(request):
    if request.method == "POST":
        request.dbsession.execute(sa.text("INSERT INTO notes VALUES ('taken along')"))
    return Response(request.dbsession.scalar(sa.text("SELECT text FROM notes")))

config = Configurator(settings={"sqlalchemy.url": "sqlite:///notes.sqlite"})
config.include("myapp.db")
config.add_route("notes", "/notes")
config.add_view(view, route_name="notes")
app = config.make_wsgi_app()
with app.registry["db.engine"].begin() as connection:
    connection.execute(sa.text("CREATE TABLE notes (text text)"))

client = webtest.TestApp(app)
client.post("/notes")
print(myapp.db.__file__, client.get("/notes").text)
"""


def copy(to: Path, *, without: str | None = None) -> None:
    """Take along what the page says, and leave a room out."""
    package = to / "myapp"
    shutil.copytree(ROOT / "myapp" / "db", package / "db", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    for name in TAKEN:
        shutil.copyfile(ROOT / "myapp" / name, package / name)
    if without is not None:
        shutil.rmtree(package / "db" / without)


class TestTakingItAlong:
    @pytest.mark.parametrize("without", [None, "two_databases"])
    def test_serves_another_application(self, tmp_path: Path, without: str | None):
        copy(tmp_path, without=without)
        (tmp_path / "application.py").write_text(APPLICATION)

        served = subprocess.run(
            [sys.executable, "application.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert served.stdout == f"{tmp_path}/myapp/db/__init__.py taken along\n", served.stderr

    def test_needs_the_packages_that_the_page_names(self):
        section = PAGE.read_text(encoding="utf-8").split("\n## Taking it along\n", 1)[1]
        named = re.findall(r"`([\w.-]+)`", section.split("It needs", 1)[1].split("\n\n", 1)[0])
        packages = {name.replace("-", "_").split(".")[0] for name in named}
        files = [*(ROOT / "myapp" / "db").rglob("*.py"), *(ROOT / "myapp" / name for name in TAKEN)]
        modules = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
        imported = {name.split(".")[0] for module in modules for _, name in house_rules.imports(module)}

        assert imported - sys.stdlib_module_names - {"myapp"} - packages == set()
