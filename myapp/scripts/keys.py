"""`myapp keys`: make, list and revoke the keys that the API asks for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from myapp.db.scope import session_scope
from myapp.ledger import access, errors, model, queries, words
from myapp.scripts import database

MISSING_LEDGER = """\
There is no ledger {name!r} yet, so no key can be made for it. Make it first, in one of these ways:
  - `myapp import FILE --ledger {name}`, if it is to begin with a journal;
  - POST /v1/ledgers to the service, with a key that `myapp keys create --all --scope admin` makes."""


def add_to(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of this group."""
    group = groups.add_parser("keys", help="make, list and revoke API keys")
    commands = group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_create(commands)
    listing = commands.add_parser("list", help="list the keys, without their secrets")
    listing.set_defaults(run=_list)
    revoking = commands.add_parser("revoke", help="make a key useless, at once and for good")
    revoking.add_argument("id", metavar="ID", help="as `myapp keys list` shows it")
    revoking.set_defaults(run=_revoke)
    for command in (listing, revoking):
        add_ini(command)


def add_ini(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which database."""
    parser.add_argument(
        "--ini",
        metavar="FILE",
        help=f"the settings; {database.DEFAULT_INI} in this directory when left out "
        "(MYAPP_DATABASE_URL overrides the database named in it)",
    )


def ledger_name(text: str) -> str:
    """Return what was given as the name of a ledger, if it can be one."""
    if not re.fullmatch(words.LEDGER_NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 100 letters, digits, dots, dashes or underscores")
    return text


def _add_create(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    creating = commands.add_parser("create", help="make a key and print it, alone on the last line")
    which = creating.add_mutually_exclusive_group(required=True)
    which.add_argument("--ledger", metavar="NAME", help="the only ledger the key opens")
    which.add_argument("--all", action="store_true", help="the key opens every ledger")
    creating.add_argument(
        "--scope", required=True, choices=[*access.Scope], help="what it may do; each includes the one before"
    )
    creating.add_argument("--name", metavar="TEXT", help="what the key is for, as `myapp keys list` will show it")
    creating.set_defaults(run=_create)
    add_ini(creating)


def _create(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with database.opened(options.ini, environ) as opened, session_scope(opened.sessions) as session:
        ledger = _ledger(session, options.ledger) if options.ledger is not None else None
        scope = access.Scope(options.scope)
        key, secret = access.create_key(session, name=options.name, scope=scope, ledger=ledger, now=datetime.now(UTC))
    opens = f"ledger {options.ledger}" if options.ledger is not None else "all ledgers"
    print(f"Key {key.id}: {key.scope} on {opens}. This is the only time it is shown; send it as a Bearer token:")
    print(secret)
    return 0


def _ledger(session: Session, name: str) -> model.Ledger:
    try:
        return queries.get_ledger(session, name)
    except errors.NotFound as exc:
        raise errors.NotFound(MISSING_LEDGER.format(name=name)) from exc


def _list(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with database.opened(options.ini, environ) as opened, session_scope(opened.sessions, readonly=True) as session:
        keys = access.list_keys(session)
        names = queries.find_names(session, {key.ledger_id for key in keys if key.ledger_id is not None})
    if not keys:
        print("There are no keys; `myapp keys create` makes one.")
    for key in keys:
        opens = "all ledgers" if key.ledger_id is None else names[key.ledger_id]
        state = "valid" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
        print(f"{key.id}  {key.scope:5}  {opens}  {key.created_at:%Y-%m-%d}  {state}  {key.name or ''}".rstrip())
    return 0


def _revoke(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    with database.opened(options.ini, environ) as opened, session_scope(opened.sessions) as session:
        access.revoke_key(session, options.id, now=datetime.now(UTC))
    print(f"Key {options.id} is revoked.")
    return 0
