"""The house rules that no linter knows, each with an example that breaks it and one that keeps it.

A rule reads one module's syntax tree and yields the line and the fault of each breach.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

FUNCTION_LINES_MAX = 40
MODULE_LINES_MAX = 400

# Where a person at a prompt ends the unit of work, in place of the end of a request.
SHELL = "myapp/scripts/shell.py"

Breach = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What must hold in the files of `within` that are not of `without` (globs from the root)."""

    name: str
    within: tuple[str, ...]
    without: tuple[str, ...] = ()
    breaches: Callable[[ast.Module], Iterable[Breach]]
    broken: tuple[str, ...]
    kept: str

    def files(self) -> Iterator[Path]:
        excepted = {path for glob in self.without for path in ROOT.glob(glob)}
        yield from sorted({path for glob in self.within for path in ROOT.glob(glob)} - excepted)


def _dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, with `()` where a call is in between."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case ast.Call(func=func):
            return f"{_dotted(func)}()"
        case _:
            return ""


def imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each imported name in full: `from a import b` is `a.b`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


_ENDS = re.compile(r"(^|\.)(commit|rollback|abort|doom|prepare)$")
_CLOSES = re.compile(r"(session|connection\(\)|transaction|tm)\.close$", re.IGNORECASE)
# A connection may be another's, HTTP's for instance, where nothing of the database is imported.
_CLOSES_CONNECTION = re.compile(r"(connection|conn)\.close$", re.IGNORECASE)
_DATABASE = re.compile(r"(sqlalchemy|psycopg|sqlite3|myapp\.db)\b")
_MAKES = re.compile(r"(^|\.)(sessionmaker|scoped_session|Session|create_engine)$")
_ENDING_SQL = re.compile(r"\s*(COMMIT|ROLLBACK|END)\b[\s;]*(WORK|TRANSACTION)?[\s;]*", re.IGNORECASE)


def _ends_a_transaction(module: ast.Module) -> Iterator[Breach]:
    patterns = [_ENDS, _CLOSES, _MAKES]
    if any(_DATABASE.match(name) for _, name in imports(module)):
        patterns.append(_CLOSES_CONNECTION)
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = _dotted(node.func)
            if any(pattern.search(called) for pattern in patterns):
                yield node.lineno, f"{called}() belongs to myapp/db"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _ENDING_SQL.fullmatch(node.value):
            yield node.lineno, f"{node.value!r} belongs to myapp/db"


def _has_float(module: ast.Module) -> Iterator[Breach]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id="float") | ast.Attribute(attr="float" | "Float" | "REAL" | "FLOAT" | "Double"):
                yield node.lineno, "float"
            case ast.Constant(value=float()):
                yield node.lineno, f"the float {node.value}"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno, "true division"


def _reads_the_clock(module: ast.Module) -> Iterator[Breach]:
    clocks = re.compile(
        r"(^|\.)(now|utcnow|today|localtime|gmtime|monotonic|perf_counter|current_timestamp|current_date|localtimestamp"
        r"|clock_timestamp|uuid1|uuid6|uuid7)$|(^|\.)time\.(time|time_ns)$"
    )
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and clocks.search(_dotted(node.func)):
            yield node.lineno, f"{_dotted(node.func)}() reads the clock; take it as an argument"
    yield from ((line, "imports time") for line, name in imports(module) if name.split(".")[0] == "time")


def _queries_in_an_exception_view(module: ast.Module) -> Iterator[Breach]:
    names = {_dotted(node).split(".")[-1] for node in ast.walk(module) if isinstance(node, ast.Name | ast.Attribute)}
    if any("exception_view" in name for name in names):
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and node.attr == "dbsession":
                yield node.lineno, "request.dbsession in a module of exception views; its transaction may be dead"


def _catches_all(module: ast.Module) -> Iterator[Breach]:
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or _dotted(kind) in ("Exception", "BaseException") for kind in kinds):
                yield node.lineno, "catches everything"


def _has_no_docstring(module: ast.Module) -> Iterator[Breach]:
    if not ast.get_docstring(module):
        yield 1, "no docstring"


def _imports_the_application(module: ast.Module) -> Iterator[Breach]:
    yield from ((line, name) for line, name in imports(module) if re.match(r"myapp\b|\.", name))


def _imports_more_than_the_standard_library(module: ast.Module) -> Iterator[Breach]:
    for line, name in imports(module):
        if name != "myapp.errors" and name.split(".")[0] not in sys.stdlib_module_names:
            yield line, name


def _is_too_long(module: ast.Module) -> Iterator[Breach]:
    lines = max((node.end_lineno or 0 for node in module.body), default=0)
    if lines > MODULE_LINES_MAX:
        yield 1, f"{lines} lines; split it before {MODULE_LINES_MAX}"
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines, {FUNCTION_LINES_MAX} at most"


RULES = (
    Rule(
        name="only myapp/db makes, ends or closes a session, a connection or a database transaction",
        within=("myapp/**/*.py",),
        without=("myapp/db/**/*.py", SHELL),
        breaches=_ends_a_transaction,
        broken=(
            "request.dbsession.commit()",
            "session.rollback()",
            "request.tm.abort()",
            "transaction.commit()",
            "session.connection().close()",
            "dbsession.close()",
            "import sqlalchemy as sa\nself.connection.close()",
            "session.execute(text('commit;'))",
            "sessions = orm.sessionmaker(engine)",
            "with Session(engine) as session: pass",
        ),
        kept="with scope.session_scope(sessions) as session:\n    session.execute(statement)\nhttp_connection.close()",
    ),
    Rule(
        name="no float near money",
        within=("myapp/ledger/**/*.py", "myapp/api/schemas.py", "myapp/api/fields.py", "myapp/api/bodies.py"),
        breaches=_has_float,
        broken=("float(amount)", "rate: float", "x = 0.5", "a / b", "a /= b", "sa.Column(sa.Float)"),
        kept="a // b\nDecimal('0.5') * 2",
    ),
    Rule(
        name="the ledger reads no clock",
        within=("myapp/ledger/**/*.py",),
        breaches=_reads_the_clock,
        broken=(
            "datetime.now(UTC)",
            "datetime.datetime.utcnow()",
            "time.time()",
            "from time import time",
            "sa.func.now()",
            "sa.func.current_timestamp()",
            "uuid.uuid7()",
        ),
        kept="def record(session, *, now):\n    return now.timestamp()",
    ),
    Rule(
        name="no query where exceptions are turned into answers",
        within=("myapp/**/*.py",),
        breaches=_queries_in_an_exception_view,
        broken=(
            "@exception_view_config(Exception)\ndef failed(exc, request):\n    request.dbsession.execute(query)",
            "config.add_exception_view(failed)\ndef failed(exc, request):\n    return request.dbsession",
        ),
        kept="@exception_view_config(Exception)\ndef failed(exc, request):\n    return problem",
    ),
    Rule(
        name="revisions import nothing of the application",
        within=("myapp/migrations/versions/*.py",),
        breaches=_imports_the_application,
        broken=("from myapp.ledger import tables", "import myapp", "from . import other"),
        kept="import sqlalchemy as sa\nfrom alembic import op",
    ),
    Rule(
        name="settings, errors and the ledger's model import only the standard library and errors",
        within=("myapp/errors.py", "myapp/settings.py", "myapp/ledger/model.py", "myapp/ledger/errors.py"),
        breaches=_imports_more_than_the_standard_library,
        broken=("import sqlalchemy", "from myapp.db import scope", "from myapp import settings", "from . import x"),
        kept="from dataclasses import dataclass\nfrom myapp import errors",
    ),
    Rule(
        name="nothing catches everything: the exception views answer what nobody else expects",
        within=("myapp/**/*.py",),
        # Their threads have nobody above them: they log, and go on.
        without=("myapp/db/dispatcher.py", "myapp/server/workers.py"),
        breaches=_catches_all,
        broken=(
            "try: f()\nexcept Exception: pass",
            "try: f()\nexcept (KeyError, BaseException) as exc: raise",
            "try: f()\nexcept: pass",
        ),
        kept="try: f()\nexcept KeyError: pass",
    ),
    Rule(
        name="every module says what it is for",
        within=("myapp/**/*.py",),
        breaches=_has_no_docstring,
        broken=("import os", ""),
        kept='"""What it is for."""',
    ),
    Rule(
        name="modules and functions stay small",
        within=("myapp/**/*.py",),
        # A revision lists columns, however many a table has.
        without=("myapp/migrations/versions/*.py",),
        breaches=_is_too_long,
        broken=(
            "\n" * MODULE_LINES_MAX + "x = 1",
            "def f():\n    '''Say.'''\n" + "    x = 1\n" * (FUNCTION_LINES_MAX + 1),
        ),
        kept="def f():\n    '''Say.'''\n" + "    x = 1\n" * FUNCTION_LINES_MAX,
    ),
)
