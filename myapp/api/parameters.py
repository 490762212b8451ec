"""Read what the address and its query say: query parameters by schema, path parameters by pattern."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, get_args, get_origin
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from myapp.api import bodies, errors, fields, schemas
from myapp.ledger import errors as ledger_errors

# Parameters of which there are many, each with a name of its own after a dot: `metadata.order`.
NAMED = ("metadata", "price")
PARAMETERS_MAX = 100

_INTEGER = re.compile(r"[0-9]{1,18}\Z", re.ASCII)
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)


def decode_query(query_string: str, schema: type[schemas.Input]) -> schemas.Input:
    """Return the query as the schema's type.

    Raises:
        BadParameter: a parameter is unknown, repeated or of no use, or a range ends before it begins; the message
            names it.
    """
    if not query_string and not _requires_any(schema):
        return schema()
    try:
        pairs = query_string and parse_qsl(
            query_string, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError as exc:
        raise errors.BadParameter("The query is not a list of name=value pairs in UTF-8.") from exc
    try:
        asked = msgspec.convert(_collect(pairs or [], _readers(schema)), schema, dec_hook=fields.decode_custom)
    except msgspec.ValidationError as exc:
        raise _named(exc) from exc
    for begins, ends in _ranges(schema):
        since, until = getattr(asked, begins.name), getattr(asked, ends.name)
        if since is not None and until is not None:
            check_range(since.at, until.at, names=(begins.encode_name, ends.encode_name))
    return asked


def check_range(since: datetime, until: datetime, *, names: tuple[str, str] = ("from", "to")) -> None:
    """Refuse a range of times that ends before it begins; one that ends as it begins is empty.

    Raises:
        BadParameter: the message names both parameters.
    """
    if since > until:
        raise errors.BadParameter(
            f"The parameter {names[0]!r} ({since.isoformat()}) is after {names[1]!r} ({until.isoformat()}), "
            "so no time is between them."
        )


def account_path(text: str) -> str:
    """Return the path of an account as the address has it.

    Raises:
        NotFound: no account can have it.
    """
    if len(text) > fields.PATH_LENGTH_MAX or not re.match(fields.PATH, text):
        raise ledger_errors.NotFound(f"There is no account {text!r}: that is no account's path.")
    return text


def ledger_name(text: str) -> str:
    """Return the name of a ledger as the address has it.

    Raises:
        NotFound: no ledger can have it.
    """
    if not re.match(fields.NAME, text):
        raise ledger_errors.NotFound(f"There is no ledger {text!r}: that is no ledger's name.")
    return text


def transaction_id(text: str) -> UUID:
    """Return the id of a transaction as the address has it.

    Raises:
        NotFound: no transaction can have it.
    """
    if not _CANONICAL_UUID.match(text):
        raise ledger_errors.NotFound(f"There is no transaction {text!r}: that is no transaction's id.")
    return UUID(text)


def bank_line_id(text: str) -> UUID:
    """Return the id of a bank line as the address has it.

    Raises:
        NotFound: no bank line can have it.
    """
    if not _CANONICAL_UUID.match(text):
        raise ledger_errors.NotFound(f"There is no bank line {text!r}: that is no bank line's id.")
    return UUID(text)


def webhook_id(text: str) -> UUID:
    """Return the id of a webhook as the address has it.

    Raises:
        NotFound: no webhook can have it.
    """
    if not _CANONICAL_UUID.match(text):
        raise ledger_errors.NotFound(f"There is no webhook {text!r}: that is no webhook's id.")
    return UUID(text)


def currency_code(text: str) -> str:
    """Return the code of a currency that the address wants declared.

    Raises:
        BadParameter: no currency can have it.
    """
    if not re.match(fields.CURRENCY, text):
        raise errors.BadParameter(f"{text!r} is no currency's code; expected {fields.ADVICE[fields.CURRENCY]}.")
    return text


def _read_int(text: str) -> object:
    return int(text) if _INTEGER.match(text) else text


def _read_bool(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)


@functools.cache
def _readers(schema: type[schemas.Input]) -> Mapping[str, Callable[[str], object]]:
    """Return, by parameter, what reads its text; all but integers and booleans stay text until they are validated."""
    readers: dict[object, Callable[[str], object]] = {int: _read_int, bool: _read_bool}
    return {
        field.encode_name: readers[kind]
        for field in msgspec.structs.fields(schema)
        if (kind := get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type) in readers
    }


@functools.cache
def _ranges(schema: type[schemas.Input]) -> Sequence[tuple[msgspec.structs.FieldInfo, msgspec.structs.FieldInfo]]:
    """Return the pairs of parameters that begin and end a range: `from` and `to`, `recorded_from` and `recorded_to`."""
    by_name = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    ends_of = {name: f"{name.removesuffix('from')}to" for name in by_name if name.endswith("from")}
    return [(by_name[begins], by_name[ends]) for begins, ends in ends_of.items()]


@functools.cache
def _requires_any(schema: type[schemas.Input]) -> bool:
    return any(field.required for field in msgspec.structs.fields(schema))


def _collect(pairs: list[tuple[str, str]], readers: Mapping[str, Callable[[str], object]]) -> dict[str, object]:
    plain: dict[str, object] = {}
    named: dict[str, dict[str, str]] = {}
    for name, value in pairs:
        family, dot, key = name.partition(".")
        is_named = bool(dot) and family in NAMED
        if name in NAMED or (key in named.get(family, ()) if is_named else name in plain):
            raise errors.BadParameter(f"The parameter {name!r} makes no sense here, or is given twice.")
        if is_named:
            named.setdefault(family, {})[key] = value
        else:
            plain[name] = readers.get(name, str)(value)
    return {**plain, **named}


def _named(exc: msgspec.ValidationError) -> errors.BadParameter:
    error = bodies.field_error(exc)
    unknown = re.search(r"unknown field `(?P<name>.*)`", error.detail, re.DOTALL)
    if unknown is not None:
        return errors.BadParameter(f"There is no parameter {unknown['name']!r} here.")
    missing = re.search(r"missing required field `(?P<name>.*)`", error.detail)
    if missing is not None:
        return errors.BadParameter(f"The parameter {missing['name']!r} is needed here.")
    # Every parameter is sent as text, so what was sent instead says nothing.
    expected = error.detail.partition(", got")[0]
    return errors.BadParameter(f"The parameter {error.pointer.lstrip('/')!r}: {expected}.")
