"""The command `myapp`: choose the group, run it, and turn what it refuses into one clear message and an exit code.

Exit codes: 0 done; 1 refused (the journal, the ledger, an assertion); 2 not started (usage, settings, the database or
the service is not there, the schema is not current); 130 interrupted; 141 nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sqlalchemy import exc as sa_exc

from myapp import errors, settings
from myapp.db import errors as db_errors
from myapp.migrations import head
from myapp.processes import listening, supervisor
from myapp.scripts import keys, prune, recover, seal, serve, sweep, verify
from myapp.scripts.bank import command as bank
from myapp.scripts.bank import files as bank_files
from myapp.scripts.bank import work as bank_work
from myapp.scripts.delivering import command as delivering
from myapp.scripts.importing import command as importing
from myapp.scripts.importing import service

DONE = 0
REFUSED = 1
NOT_STARTED = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

NOT_STARTED_ERRORS = (
    settings.SettingsError,
    head.SchemaError,
    db_errors.DatabaseError,
    importing.MissingExtra,
    importing.Usage,
    bank_files.MissingExtra,
    bank_work.Usage,
    service.Unreachable,
    listening.CannotListen,
    supervisor.NotStarted,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options, os.environ)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output left, as `head` does; nothing is left to say, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except NOT_STARTED_ERRORS as exc:
        return _say(str(exc), NOT_STARTED)
    except errors.MyappError as exc:
        return _say(str(exc), REFUSED)
    except sa_exc.SQLAlchemyError as exc:
        meaning = db_errors.translate(exc)
        if meaning is None:
            raise
        return _say(str(meaning), NOT_STARTED)


def _say(message: str, code: int) -> int:
    print(f"myapp: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="myapp",
        description="Work on a ledger's database, or on a running service, from the command line.",
        epilog="`myapp COMMAND --help` says more. One process of the service is started by `pserve development.ini`.",
    )
    groups = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve.add_to(groups)
    keys.add_to(groups)
    importing.add_to(groups)
    bank.add_to(groups)
    prune.add_to(groups)
    recover.add_to(groups)
    sweep.add_to(groups)
    seal.add_to(groups)
    verify.add_to(groups)
    delivering.add_to(groups)
    return parser


if __name__ == "__main__":
    sys.exit(main())
