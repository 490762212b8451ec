"""Read a request's body: how large it may be, that it is JSON, and that it fits the schema.

The order is the order in which refusals win: media type, size, JSON, schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from myapp.api import errors, fields, problems
from myapp.api.respond import MEDIA_TYPE

JSON_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}

_PATH = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[0-9]+)\]")
_TYPES = re.compile(r"(?P<before>Expected|got) `(?P<types>[a-z]+(?: \| [a-z]+)*)`")
_REGEX = re.compile(r"Expected `str` matching regex (?P<pattern>'.*'|\".*\")", re.DOTALL)


class _Refused(ValueError):
    """What the standard library's reader let through and we do not."""


def read(request: Any, *, bytes_max: int) -> bytes:
    """Return the request's body.

    Raises:
        UnsupportedMediaType: it is not declared to be plain JSON.
        TooLarge: it is longer than `bytes_max`, whatever its Content-Length says.
    """
    if request.content_type != MEDIA_TYPE:
        raise errors.UnsupportedMediaType(f"Send the body with Content-Type: {MEDIA_TYPE}.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.UnsupportedMediaType("Send the body without Content-Encoding.")
    # An earlier attempt at the same request may have read it already.
    stream = request.body_file_seekable
    stream.seek(0)
    body: bytes = b"" if (request.content_length or 0) > bytes_max else stream.read(bytes_max + 1)
    if (request.content_length or 0) > bytes_max or len(body) > bytes_max:
        raise errors.TooLarge(f"The body may have {bytes_max} bytes at most.")
    return body


def is_left_out(request: Any) -> bool:
    """Say whether the request has no body at all."""
    return not request.content_length and "HTTP_TRANSFER_ENCODING" not in request.environ


def decoder(schema: type) -> Callable[[bytes], object]:
    """Return the function that turns a body into the schema's type.

    Raises, when called:
        MalformedJson: it is not one JSON value in UTF-8, or a member's name is repeated.
        ValidationFailed: it is one, but not of the schema.
    """
    typed: msgspec.json.Decoder[object] = msgspec.json.Decoder(schema, dec_hook=fields.decode_custom)

    def decode(body: bytes) -> object:
        _refuse_malformed(body)
        try:
            return typed.decode(body)
        except msgspec.ValidationError as exc:
            _refuse_unpaired_surrogates(body)
            raise errors.ValidationFailed([field_error(exc)]) from exc
        except (msgspec.DecodeError, RecursionError) as exc:
            raise errors.MalformedJson(_first_line(exc)) from exc

    return decode


def field_error(exc: msgspec.ValidationError) -> problems.FieldError:
    """Turn msgspec's message into a JSON Pointer and what to send instead."""
    message = str(exc)
    found = _PATH.search(message)
    if found is None:
        return problems.FieldError(pointer="", detail=_in_json_words(message, ""))
    # msgspec does not say which member of a mapping it means; the pointer ends at the mapping.
    path, member, _rest = found["path"].partition("[...]")
    pointer = "".join(f"/{step['name'] or step['index']}" for step in _STEP.finditer(path))
    where = "A member's name: " if found["key"] else "A member's value: " if member else ""
    return problems.FieldError(pointer=pointer, detail=where + _in_json_words(message[: found.start()], pointer))


def _in_json_words(message: str, pointer: str) -> str:
    if message.startswith("Invalid enum value"):
        return f"Expected one of {', '.join(fields.CHOICES[pointer.rpartition('/')[2]])}"
    pattern = _REGEX.match(message)
    if pattern is not None:
        for source, advice in fields.ADVICE.items():
            if pattern["pattern"] in (repr(source), f"'{source}'"):
                return f"Expected {advice}"
    return _TYPES.sub(_name_types, message)


def _name_types(found: re.Match[str]) -> str:
    names = [JSON_NAMES.get(name, name) for name in found["types"].split(" | ")]
    return f"{found['before']} {' or '.join(names)}"


def _refuse_malformed(body: bytes) -> None:
    """Refuse what is not JSON, and repeated names, which the typed decoder does not see."""
    try:
        text = body.decode()
        _strict.decode(text)
    except UnicodeDecodeError as exc:
        raise errors.MalformedJson(f"The body is not UTF-8 (byte {exc.start}).") from exc
    except json.JSONDecodeError as exc:
        raise errors.MalformedJson(f"{exc.msg} (line {exc.lineno}, column {exc.colno}).") from exc
    except _Refused as exc:
        raise errors.MalformedJson(str(exc)) from exc
    except RecursionError as exc:
        raise errors.MalformedJson("The body is nested too deeply.") from exc


def _refuse_unpaired_surrogates(body: bytes) -> None:
    """Refuse what the typed decoder did not come to, because the schema was violated before it."""
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return
    except (msgspec.DecodeError, RecursionError) as exc:
        raise errors.MalformedJson(_first_line(exc)) from exc


def _members(pairs: list[tuple[str, object]]) -> None:
    names = {name for name, _value in pairs}
    if len(names) != len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"An object has the member {repeated!r} twice.")


def _no_constant(name: str) -> None:
    raise _Refused(f"{name} is no JSON value.")


def _first_line(exc: BaseException) -> str:
    return str(exc).partition("\n")[0]


# Made once: json.loads makes a decoder for every call that has hooks. Numbers are not needed, whatever their size.
_strict = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant, parse_int=len, parse_float=len)
