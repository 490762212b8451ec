"""Make the responses: JSON with the headers that every answer of the API carries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from pyramid.response import Response

from myapp.api import etags, schemas
from myapp.api.request import AnyRequest

MEDIA_TYPE = "application/json"

Headers = Sequence[tuple[str, str]]

# What needs no escaping in a path; most names do not.
_is_plain = re.compile(r"[A-Za-z0-9_.~:-]*\Z").match

_encoder = msgspec.json.Encoder()


def encode(answer: msgspec.Struct) -> bytes:
    """Return the answer as JSON."""
    return _encoder.encode(answer)


def answer(body: bytes, *, status: int = 200, headers: Headers = (), cache: str = "no-store") -> Response:
    """Return a response that nobody keeps longer than `cache` says."""
    return Response(
        body=body,
        status=status,
        headerlist=[("Content-Type", MEDIA_TYPE), ("Cache-Control", cache), *headers],
    )


def created(request: AnyRequest, body: bytes, *, location: str, replayed: bool) -> Response:
    """Return 201 with the address of what was made, now or by the first request with the same key.

    Shape: `location` is a path. It is answered as a whole address; WebOb would take several times as long to make it.
    """
    headers = [("Location", request.host_url + location)]
    if replayed:
        headers.append(("Idempotency-Replayed", "true"))
    return answer(body, status=201, headers=headers)


def page(request: AnyRequest, listed: schemas.Listed[schemas.ItemT]) -> Response:
    """Return one page of a list, with the address of the next in a Link header."""
    return answer(encode(listed), headers=[] if listed.next is None else [next_link(request, listed.next)])


def next_link(request: AnyRequest, after: str) -> tuple[str, str]:
    """Return the header with the address of the page that goes on after this."""
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    query = urlencode([*((name, value) for name, value in pairs if name != "after"), ("after", after)])
    return "Link", f'<{request.path}?{query}>; rel="next"'


def address(*parts: str) -> str:
    """Return the path of a resource below /v1."""
    return "/".join(("/v1", *(part if _is_plain(part) else quote(part, safe=":") for part in parts)))


def versioned(request: AnyRequest, of: msgspec.Struct, *, version: int) -> Response:
    """Return an answer with its ETag, or 304 to a reader who has it already."""
    body = encode(of)
    tag = etags.make(version, body)
    if request.method in ("GET", "HEAD") and etags.is_unchanged(request.headers.get("If-None-Match"), tag):
        return Response(status=304, headerlist=[("ETag", tag), ("Cache-Control", "no-cache")])
    return answer(body, headers=[("ETag", tag)], cache="no-cache")
