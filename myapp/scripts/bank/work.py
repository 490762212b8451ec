"""What every command of this group works with: a ledger by its name, and a session for one unit of work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from myapp import errors, settings
from myapp.db.scope import session_scope
from myapp.ledger import recording
from myapp.scripts import database, keys


class Usage(errors.MyappError):
    """The options make no sense together."""

    code = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a command works with: a session, the time, and the form of recording."""

    session: Session
    now: datetime
    form: recording.Form


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which ledger, and in which database."""
    parser.add_argument("--ledger", type=keys.ledger_name, required=True, metavar="NAME", help="the ledger")
    keys.add_ini(parser)


def add_account(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the option that says which account."""
    parser.add_argument("--account", required=required, metavar="PATH", help="the bank account in the books")


@contextmanager
def at_work(options: argparse.Namespace, environ: Mapping[str, str], *, readonly: bool = False) -> Iterator[Work]:
    """Lend a session, for one unit of work."""
    with (
        database.opened(options.ini, environ) as opened,
        session_scope(opened.sessions, readonly=readonly) as session,
    ):
        is_steps = opened.application.recording is settings.Recording.STEPS
        form = recording.Form.STEPS if is_steps else recording.detect(session)
        yield Work(session=session, now=datetime.now(UTC), form=form)
