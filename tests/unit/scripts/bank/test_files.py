from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from myapp.scripts.bank import files
from myapp.scripts.bank.statements import StatementError

DATA = Path(__file__).parent / "data"


class TestRead:
    @pytest.mark.parametrize(
        ("name", "lines"), [("one.ofx", 2), ("two.ofx", 1), ("camt-02.xml", 2), ("camt-08.xml", 3)]
    )
    def test_knows_a_format_by_its_beginning(self, name: str, lines: int):
        statements = files.read(DATA / name, format=None, mapping_path=None)

        assert sum(len(each.entries) for each in statements) == lines

    def test_reads_csv_by_a_mapping(self):
        (statement,) = files.read(DATA / "german.csv", format=None, mapping_path=DATA / "german.toml")

        assert len(statement.entries) == 2

    def test_reads_what_it_is_told(self):
        with pytest.raises(StatementError, match="does not end with </OFX>"):
            files.read(DATA / "camt-02.xml", format=files.Format.OFX, mapping_path=None)

    @pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b" \n", "is empty")])
    def test_refuses_what_is_nothing(self, tmp_path: Path, content: bytes, message: str):
        path = tmp_path / "empty"
        path.write_bytes(content)

        with pytest.raises(StatementError, match=message):
            files.read(path, format=None, mapping_path=None)

    def test_refuses_what_is_not_there_and_what_is_too_large(self, tmp_path: Path):
        with pytest.raises(StatementError, match="cannot be read: No such file"):
            files.read(tmp_path / "none", format=None, mapping_path=None)
        large = tmp_path / "large"
        with large.open("wb") as file:
            file.truncate(files.BYTES_MAX + 1)
        with pytest.raises(StatementError, match="more than 64 MiB"):
            files.read(large, format=None, mapping_path=None)


class TestMissingExtra:
    def test_is_said_where_ofx_is_read_and_nowhere_else(self):
        program = f"""
import sys
sys.modules["ofxtools"] = None
from pathlib import Path
from myapp.scripts.bank import files
data = Path({str(DATA)!r})
files.read(data / "camt-02.xml", format=None, mapping_path=None)
try:
    files.read(data / "one.ofx", format=None, mapping_path=None)
except files.MissingExtra as exc:
    print(exc)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout == f"OFX needs a package that is not installed. In the project's root: {files.INSTALL}\n"
