"""What the documents list is what the code has."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from myapp import settings
from tests.architecture import house_rules
from tests.architecture.house_rules import ROOT

PACKAGES = ROOT / "docs" / "decisions" / "0001-dependencies.md"
PEERS = ROOT / "tests" / "benchmarks" / "peers"
LISTS = {"RUNTIME", "IMPORT", "BANK", "TEST", "BENCH"}


def section(path: Path, title: str) -> str:
    """Return what stands in a document between a heading and the next of its level."""
    text = path.read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(text: str) -> set[str]:
    """Return the first cells of the rows of the tables in a text, without code marks and headings."""
    rows = re.findall(r"^\| *`?([^|`]+?)`? *\|.*\n(?!\|[-: |]+\n)", text + "\n", re.MULTILINE)
    return {cell for cell in rows if set(cell) - set("-: ")}


def declared_packages() -> set[str]:
    """Return the names of the packages that setup.py asks for."""
    lists = [
        node.value
        for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and LISTS & {ast.unparse(target) for target in node.targets}
    ]
    requirements = [node.value for each in lists for node in ast.walk(each) if isinstance(node, ast.Constant)]
    return {re.split(r"[\[<>=!]", requirement)[0] for requirement in requirements}


def peers_packages() -> set[str]:
    """Return the names of the packages that the peers of the benches ask for."""
    lines = (PEERS / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {re.split(r"[\[<>=!]", line)[0] for line in lines}


def pinned(path: Path) -> set[str]:
    """Return the names of the packages that a file pins."""
    names = re.findall(r"^([\w.-]+)==", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.replace(".", "-") for name in names}


def undeclared(imported: Iterable[str], declared: set[str]) -> set[str]:
    """Return which top-level modules come from no package that is declared."""
    sources = importlib.metadata.packages_distributions()
    ours = {name for name in imported if name in sys.stdlib_module_names or name == "myapp"}
    return {name for name in set(imported) - ours if not {each.lower() for each in sources.get(name, ())} & declared}


def prose() -> str:
    """Return all documents, one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))


def is_importable(module: str, name: str) -> bool:
    """Say whether `from module import name` would do."""
    try:
        found = importlib.import_module(module)
        return hasattr(found, name) or importlib.import_module(f"{module}.{name}") is not None
    except ModuleNotFoundError:
        return False


class TestFirstColumn:
    def test_is_the_rows_alone(self):
        text = "\n| setting | unit |\n|---|---|\n| `db.pool_size` | connections |\n| retry.attempts | times |\n"

        assert first_column(text) == {"db.pool_size", "retry.attempts"}


class TestDeclaredPackages:
    def test_are_all_that_is_imported(self):
        files = (ROOT / "myapp").rglob("*.py")
        modules = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
        imported = {name.split(".")[0] for module in modules for _, name in house_rules.imports(module)}

        assert not undeclared(imported, {name.replace("-", "_") for name in declared_packages()} | declared_packages())

    def test_are_missed_when_only_another_package_brings_them(self):
        assert undeclared(["json", "venusian", "pyramid"], {"pyramid"}) == {"venusian"}


class TestDocuments:
    def test_import_what_there_is(self):
        imports = re.findall(r"^ *from (myapp[\w.]*) import ([\w, ]+)$", prose(), re.MULTILINE)
        names = [(module, name) for module, listed in imports for name in listed.split(", ")]

        assert len(names) > 5
        assert [each for each in names if not is_importable(*each)] == []

    def test_name_files_that_there_are(self):
        named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|ini|sql))`", prose()))
        tops = ("*", "docs/*", "myapp/**/*", "tests/**/*")
        files = [f"/{path.relative_to(ROOT)}" for top in tops for path in ROOT.glob(top)]

        assert len(named) > 20
        assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()

    def test_list_the_packages_that_are_declared(self):
        assert first_column(PACKAGES.read_text(encoding="utf-8")) == declared_packages() | peers_packages()

    def test_list_the_settings_that_are_read(self):
        read = {setting.key for setting in (*settings.DATABASE, *settings.APPLICATION)}

        assert first_column(section(ROOT / "README.md", "Settings")) == read

    def test_pin_every_declared_package(self):
        assert {name.replace(".", "-") for name in declared_packages()} <= pinned(ROOT / "constraints.txt")
        assert peers_packages() <= pinned(PEERS / "constraints.txt")
