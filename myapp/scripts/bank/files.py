"""Read a bank's file, in whatever of the formats it is."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from myapp import errors
from myapp.scripts.bank import camt, columns, mapping
from myapp.scripts.bank.statements import Problem, Statement, StatementError

# A year of a busy shop's statements is a tenth of it; more is no statement.
BYTES_MAX = 64 * 1024 * 1024
HEAD_BYTES = 4096
EXTRA_MODULE = "ofxtools"
INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[bank]'"


class MissingExtra(errors.MyappError):
    """The package that reads OFX is not installed."""

    code = "missing-extra"


class Format(enum.StrEnum):
    """What a file may be."""

    CSV = "csv"
    OFX = "ofx"
    CAMT053 = "camt053"


def read(path: Path, *, format: Format | None, mapping_path: Path | None) -> Sequence[Statement]:  # noqa: A002
    """Read the statements of a file; without a format, by what the file begins with.

    Raises:
        StatementError: it cannot be read, or is not what it should be.
        MissingExtra: the package that reads OFX is not installed.
    """
    content = _content(path)
    kind = format or _guess(content)
    if kind is Format.OFX:
        statements: Sequence[Statement] = _ofx().read(content, file=str(path))
        return statements
    if kind is Format.CAMT053:
        return camt.read(content, file=str(path))
    if mapping_path is None:
        text = "looks like CSV, which needs --mapping: a file that says what its columns mean (docs/bank.md)"
        raise StatementError(str(path), [Problem(line=0, text=text)])
    return columns.read(content, mapping.read(mapping_path), file=str(path))


def _ofx() -> ModuleType:
    # Here, because the package that reads OFX is an extra that a server does without.
    try:
        from myapp.scripts.bank import ofx
    except ModuleNotFoundError as exc:
        if exc.name is not None and exc.name.partition(".")[0] == EXTRA_MODULE:
            raise MissingExtra(f"OFX needs a package that is not installed. In the project's root: {INSTALL}") from exc
        raise
    return ofx


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > BYTES_MAX:
            text = f"has more than {BYTES_MAX // 1024 // 1024} MiB, which no statement has"
            raise StatementError(str(path), [Problem(line=0, text=text)])
        content = path.read_bytes()
    except OSError as exc:
        raise StatementError(str(path), [Problem(line=0, text=f"cannot be read: {exc.strerror or exc}")]) from exc
    if not content.strip():
        raise StatementError(str(path), [Problem(line=0, text="is empty")])
    return content


def _guess(content: bytes) -> Format:
    head = content[:HEAD_BYTES].replace(b"\0", b"")
    if b"OFXHEADER" in head.upper() or b"<OFX>" in head.upper():
        return Format.OFX
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe\xfe\xff \t\r\n").startswith(b"<"):
        return Format.CAMT053
    return Format.CSV
