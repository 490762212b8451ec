"""`myapp import`: load a journal, or a ledger that was exported, into a ledger."""

from __future__ import annotations

import argparse
import enum
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from myapp import errors, settings
from myapp.db.scope import session_scope
from myapp.ledger import recording
from myapp.scripts import database, keys
from myapp.scripts.importing import dump, loading, replaying, report
from myapp.scripts.importing.destination import Destination
from myapp.scripts.importing.local import Local
from myapp.scripts.importing.plan import Plan
from myapp.scripts.importing.remote import Remote
from myapp.scripts.importing.service import Service

KEY_VARIABLE = "MYAPP_API_KEY"
EXTRA_MODULES = ("beancount", "tqdm")
INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[import]'"

DESCRIPTION = """\
Load a journal, or a ledger that was exported as NDJSON, into a ledger, which is made if there is none of the name.
A journal is one of Beancount's (any name), or what `hledger print -O json` prints (named .json).
The plugins that a Beancount journal names are Python code, and it is run: load only journals you trust.
"""
EPILOG = """\
Running it again changes nothing: what is already there is recognised, and only what the journal has gained is loaded.
Exit codes: 0 loaded and every assertion holds; 1 refused, or an assertion fails; 2 could not start.
docs/import.md says what becomes of each part of a journal.
"""


class Kind(enum.StrEnum):
    """What can be loaded."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"
    NDJSON = "ndjson"


KINDS = {".ndjson": Kind.NDJSON, ".jsonl": Kind.NDJSON, ".json": Kind.HLEDGER}


class MissingExtra(errors.MyappError):
    """The packages that read journals are not installed."""

    code = "missing-extra"


class Usage(errors.MyappError):
    """Options that do not go together."""

    code = "usage"


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = groups.add_parser(
        "import",
        help="load a journal, or an exported ledger, into a ledger",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="the journal's main file, hledger's JSON, or an NDJSON export"
    )
    parser.add_argument(
        "--format", choices=tuple(Kind), type=Kind, help="what the file is, where its name does not end in that"
    )
    parser.add_argument(
        "--ledger", type=keys.ledger_name, required=True, metavar="NAME", help="the ledger to load it into"
    )
    _add_destination(parser)
    _add_wishes(parser)
    parser.set_defaults(run=_run)


def _add_destination(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="load over HTTP into the service at this address, instead of into the database")
    parser.add_argument(
        "--key", help=f"the service's API key; better given as {KEY_VARIABLE}, which no process list shows"
    )
    keys.add_ini(parser)


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep-going", action="store_true", help="load although balance assertions fail")
    parser.add_argument("--round", action="store_true", help="round amounts that have more digits than their currency")
    parser.add_argument(
        "--digits",
        type=_digits,
        action="append",
        default=[],
        metavar="CODE=N",
        help="declare a commodity with N decimal digits, for finer amounts to come; may be repeated",
    )
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="with hledger's JSON, which has none: load the `P` lines of what `hledger prices` prints, or of an export",
    )
    parser.add_argument("--all-notes", action="store_true", help="list every note, and not only the first ones")


def _digits(text: str) -> tuple[str, int]:
    code, _, digits = text.partition("=")
    if not code or not digits.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not like VTI=4")
    return code, int(digits)


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    started = time.monotonic()
    kind = options.format or kind_of(options.file)
    if options.prices is not None and kind is not Kind.HLEDGER:
        raise Usage("--prices is for what hledger prints as JSON; a Beancount journal and NDJSON have their prices.")
    if kind is Kind.NDJSON:
        return _replay(options, environ)
    plan = _plan(options)
    with _destination(options, environ) as destination:
        outcome = loading.load(plan, destination, keep_going=options.keep_going, progress=_bar)
    summary = report.lines(
        plan,
        outcome,
        ledger=options.ledger,
        seconds=time.monotonic() - started,
        all_notes=options.all_notes,
    )
    print("\n".join(summary))
    return 1 if outcome.failures else 0


def kind_of(path: Path) -> Kind:
    """Return what a file is, by the end of its name."""
    return KINDS.get(path.suffix, Kind.BEANCOUNT)


def _replay(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Load a ledger that was exported as NDJSON."""
    started = time.monotonic()
    _require_extra()
    found = dump.read(options.file)
    with _destination(options, environ) as destination:
        done = replaying.replay(found, destination, progress=_bar)
    summary = report.of_replay(found, done, ledger=options.ledger, seconds=time.monotonic() - started)
    print("\n".join(summary))
    return 0


def _require_extra() -> None:
    """Raises: MissingExtra."""
    try:
        import tqdm  # noqa: F401
    except ModuleNotFoundError as exc:
        raise _missing_extra() from exc


def _missing_extra() -> MissingExtra:
    return MissingExtra(f"Journals need packages that are not installed. In the project's root: {INSTALL}")


def _plan(options: argparse.Namespace) -> Plan:
    # Here, because the packages that read journals are an extra that a server does without.
    try:
        import tqdm  # noqa: F401

        from myapp.scripts.importing import journal, pricing, reading
        from myapp.scripts.importing.hledger import planning, printed
        from myapp.scripts.importing.hledger import prices as hledger_prices
    except ModuleNotFoundError as exc:
        if exc.name is not None and exc.name.partition(".")[0] in EXTRA_MODULES:
            raise _missing_extra() from exc
        raise
    if (options.format or kind_of(options.file)) is Kind.HLEDGER:
        found = printed.read(options.file)
        plan = planning.plan(found, chosen_digits=dict(options.digits), may_round=options.round)
        return plan if options.prices is None else pricing.added(plan, hledger_prices.read(options.prices))
    return journal.plan(reading.read(options.file), chosen_digits=dict(options.digits), may_round=options.round)


@contextmanager
def _destination(options: argparse.Namespace, environ: Mapping[str, str]) -> Iterator[Destination]:
    if options.url is not None:
        service = Service(options.url, options.key or environ.get(KEY_VARIABLE))
        try:
            yield Remote(service, options.ledger)
        finally:
            service.close()
        return
    now = datetime.now(UTC)
    with database.opened(options.ini, environ) as opened, session_scope(opened.sessions) as session:
        is_steps = opened.application.recording is settings.Recording.STEPS
        form = recording.Form.STEPS if is_steps else recording.detect(session)
        yield Local(session, options.ledger, form=form, now=now)


def _bar(total: int) -> AbstractContextManager[loading.Bar]:
    """Return a progress bar, which shows itself only on a terminal."""
    import tqdm

    bar: AbstractContextManager[loading.Bar] = tqdm.tqdm(
        total=total, unit=" transactions", disable=not sys.stderr.isatty(), leave=False
    )
    return bar
